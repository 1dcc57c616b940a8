"""A dataset of another package; for tests only."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashbench.plugin import ComponentInfo, Dataset, ImageData, LabelKind, one_hot


class SecondData(Dataset):
    """Three shades, 50 images of 4 x 4 each."""

    info: ClassVar[ComponentInfo] = ComponentInfo(
        "Second data", labels=frozenset({LabelKind.SINGLE})
    )
    default_protocol: ClassVar[str] = "second@1"

    def load(self, root: Path | None) -> ImageData:
        """Make the images: uint8 (150, 4, 4), labels uint8 (150, 3)."""
        number = np.arange(150)
        place = np.arange(16).reshape(4, 4)
        images = (number % 3 * 70)[:, None, None] + (number[:, None, None] // 3 + place)
        return ImageData(images.astype(np.uint8), one_hot(number % 3, 3), ("dark", "grey", "light"))
