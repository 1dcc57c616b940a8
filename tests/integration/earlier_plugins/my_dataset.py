"""My dataset: say in one line what these images are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.labels import one_hot

CLASSES = ("rows", "columns", "squares", "diagonals")


class MyDataset(Dataset):
    """Four made-up textures, 60 grey images of 8 x 8 each: put your own images in their place."""

    name: ClassVar[str] = "my_dataset"
    info: ClassVar[ComponentInfo] = ComponentInfo(
        "My dataset",
        labels=frozenset({LabelKind.SINGLE}),
    )
    default_protocol: ClassVar[str] = "my_dataset@1"

    def load(self, root: Path | None) -> ImageData:
        """Decode all images.

        Args:
            root: The user's data root, if one was named: read your files from there, and raise
                DataError if they are not what you expect.

        Returns:
            uint8 (240, 8, 8), labels uint8 (240, 4).
        """
        del root
        number = np.arange(240)
        y, x = np.mgrid[:8, :8]
        textures = np.stack([y, x, np.maximum(y, x), y + x]) % 4 * 40
        shade = number[:, None, None] * (1 + (y * x) % 3) % 127
        images = (textures[number % 4] + shade).astype(np.uint8)
        return ImageData(images, one_hot(number % 4, len(CLASSES)), CLASSES)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {"source": "made up", "licence": "say which"}
