"""Image sets inside the package: a mosaic picture and a small table of labels and sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.sources.mosaic import read_mosaic, write_mosaic

EMBEDDED = Path(__file__).parents[1] / "embedded"
_HEADER = "source,label"


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedImages:
    """Images drawn from a larger dataset, in the order of that dataset.

    Attributes:
        images: uint8 (N, H, W), grey.
        numbers: int64 (N,), class numbers.
        sources: int64 (N,), rising positions in the larger dataset.
    """

    images: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    sources: NDArray[np.int64]


def write_embedded(folder: Path, name: str, content: EmbeddedImages) -> None:
    """Write ``NAME.webp`` and ``NAME.csv``, both sorted by class for the compression's sake.

    Args:
        folder: An existing folder.
        name: The set's name.
        content: The images.
    """
    order = np.argsort(content.numbers, kind="stable")
    write_mosaic(folder / f"{name}.webp", content.images[order])
    rows = zip(content.sources[order], content.numbers[order], strict=True)
    lines = [_HEADER, *(f"{source},{number}" for source, number in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_embedded(folder: Path, name: str, *, size: tuple[int, int]) -> EmbeddedImages:
    """Read a set that `write_embedded` wrote.

    Args:
        folder: Where it is.
        name: The set's name.
        size: Height and width of an image.

    Returns:
        The images in the order of their sources.

    Raises:
        DataError: If a file is missing or damaged.
    """
    path = folder / f"{name}.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; reinstall hashbench") from None
    table = np.array(list(_rows(path, lines)), dtype=np.int64).reshape(-1, 2)
    images = read_mosaic(folder / f"{name}.webp", len(table), size=size)
    order = np.argsort(table[:, 0])
    return EmbeddedImages(images[order], table[order, 1], table[order, 0])


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[int, int]]:
    if not lines or lines[0] != _HEADER:
        found = lines[0] if lines else ""
        raise DataError(f"{path}:1: expected '{_HEADER}', found '{found}'; reinstall hashbench")
    for number, line in enumerate(lines[1:], start=2):
        source, comma, label = line.partition(",")
        if not (comma and source.isdecimal() and label.isdecimal()):
            raise DataError(
                f"{path}:{number}: expected 'SOURCE,LABEL', found '{line}'; reinstall hashbench"
            )
        yield int(source), int(label)
