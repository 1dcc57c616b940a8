"""Miniature IDX folders, and protocols sealed over made-up data."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.datasets.protocols.sampling import Draw, PerClass

STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
Parts = Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """The IDX form of an array, written from the format's description."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.tobytes()


@pytest.fixture
def to_idx() -> Callable[[NDArray[np.uint8]], bytes]:
    return idx_bytes


@pytest.fixture
def parts() -> Parts:
    """60 train and 30 test images of 28 x 28, all different, ten classes in turn."""
    generator = np.random.default_rng(0)
    return {
        part: (
            generator.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            np.arange(count, dtype=np.uint8) % 10,
        )
        for part, count in (("train", 60), ("test", 30))
    }


@pytest.fixture
def write_idx_folder() -> Callable[..., Path]:
    def write(folder: Path, parts: Parts, *, zipped: bool) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for part, arrays in parts.items():
            for stem, array in zip(STEMS[part], arrays, strict=True):
                content = idx_bytes(array)
                if zipped:
                    (folder / f"{stem}.gz").write_bytes(gzip.compress(content, 1))
                else:
                    (folder / stem).write_bytes(content)
        return folder

    return write


@pytest.fixture
def idx_folder(tmp_path: Path, parts: Parts, write_idx_folder: Callable[..., Path]) -> Path:
    return write_idx_folder(tmp_path / "idx", parts, zipped=True)


def _sha(array: NDArray[np.integer]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.fixture
def toy() -> ImageData:
    """40 different grey images of 4 x 4 in four classes."""
    images = np.arange(40 * 16, dtype=np.int64).reshape(40, 4, 4) * 7 % 251
    labels = np.eye(4, dtype=np.uint8)[np.arange(40) % 4]
    return ImageData(images.astype(np.uint8), labels, ("a", "b", "c", "d"))


@pytest.fixture
def seal() -> Callable[..., ProtocolSpec]:
    """A protocol whose sizes and checksums are those of the data and the split given."""

    def sealed(
        data: ImageData, split: Split, *, train_in_database: bool = False, name: str = "toy@1"
    ) -> ProtocolSpec:
        lists = {"query": split.query, "train": split.train, "database": split.database}
        checksums = {role: _sha(positions) for role, positions in lists.items()}
        return ProtocolSpec(
            name=name,
            dataset="toy",
            images=len(data.images),
            shape=data.images.shape[1:],
            classes=data.labels.shape[1],
            relevance="shared-label",
            train_in_database=train_in_database,
            map_at=None,
            image_size=4,
            augmentation="none",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            sampling=PerClass(0, {role: Draw() for role in lists}),
            sizes={role: len(positions) for role, positions in lists.items()},
            checksums=checksums | {"pixels": _sha(data.images), "labels": _sha(data.labels)},
            notes="",
            sha256="0" * 64,
        )

    return sealed
