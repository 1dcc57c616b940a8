"""The interface of datasets: images with labels, splits, and the base class to subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.info import ComponentInfo
from hashbench.core.registry import Kind


@dataclass(frozen=True, slots=True, eq=False)
class ImageData:
    """All images of a dataset, decoded, with their labels.

    Attributes:
        images: uint8 (N, H, W) grey or (N, H, W, 3) RGB; may be memory-mapped.
        labels: uint8 (N, classes), multi-hot; single-label sets have one 1 a row.
        classes: Class names, in column order.
        warnings: Warnings about these images that go into every record, one line each.
        pixels_sha256: SHA-256 of the images as `digest_array` computes it, if their cache knows
            it; if empty it is computed, which reads all images.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    pixels_sha256: str = ""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Positions of the three roles in a dataset, int64 each."""

    train: NDArray[np.int64]
    query: NDArray[np.int64]
    database: NDArray[np.int64]


class Dataset(ABC):
    """The base class of datasets, to which a matrix refers by name.

    The protocols of a dataset are the files ``protocols/NAME@VERSION.toml`` beside its own file.

    Attributes:
        KIND: The kind of component, for plugin files.
        info: Title, paper and citation; ``labels`` states whether it is single- or multi-label.
        default_protocol: ``NAME@VERSION`` used when a matrix names none.
    """

    KIND: ClassVar[Kind] = Kind.DATASET
    info: ClassVar[ComponentInfo]
    default_protocol: ClassVar[str]

    @abstractmethod
    def load(self, root: Path | None) -> ImageData:
        """Decode all images.

        Args:
            root: The user's data root, if one was named.

        Raises:
            DataError: If files are missing, corrupt, or not as published.
        """

    def is_here(self, root: Path | None) -> bool | None:
        """Whether its files exist, judged by their names; no image is read.

        Args:
            root: The user's data root, if one was named.

        Returns:
            None if only loading can tell.
        """
        del root
        return None

    def names(self, root: Path | None) -> Sequence[str] | None:
        """Return the path of each image below the dataset's folder, in the order of positions.

        Args:
            root: The user's data root, if one was named.

        Returns:
            None if images are not in files of their own.

        Raises:
            DataError: If files are missing, or are not as published.
        """
        del root
        return None

    def describe(self) -> dict[str, Any]:
        """Return plain facts for ``hashbench describe``: sizes, folders searched, licence."""
        return {}
