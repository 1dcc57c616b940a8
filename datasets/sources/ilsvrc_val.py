"""Which synset each validation image of ILSVRC 2012 shows."""

from __future__ import annotations

import csv
from pathlib import Path

from hashbench.core.errors import DataError
from hashbench.datasets.sources.annotated_photos import REMEDY
from hashbench.datasets.sources.annotation_text import read_lines

SOLUTION = "LOC_val_solution.csv"
_HEADER = ["ImageId", "PredictionString"]
_MOST_BYTES = 2**25
_IMAGE_NAME = "ILSVRC2012_val_"


def read_val_synsets(path: Path) -> dict[str, str]:
    """Read ``LOC_val_solution.csv``, e.g. ``ILSVRC2012_val_00000001,n01751748 111 108 286 308``.

    Args:
        path: The file; several objects follow one another, all of one synset.

    Returns:
        Synset by image name, without ``.JPEG``.

    Raises:
        DataError: If it is missing, or a line is no image with its synset.
    """
    try:
        header, *rows = [*csv.reader(read_lines(path, most_bytes=_MOST_BYTES))] or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: expected a CSV file, found: {error}; {REMEDY}") from None
    if header != _HEADER:
        raise DataError(
            f"{path}: expected the header {','.join(_HEADER)}, found '{','.join(header):.80}'; "
            f"{REMEDY}"
        )
    synsets: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        words = row[1].split() if len(row) == len(_HEADER) else []
        if not words or not _is_image(row[0]) or not words[0].startswith("n"):
            raise DataError(
                f"{path}:{number}: expected an image and its synset, found '{','.join(row):.80}'; "
                f"{REMEDY}"
            )
        synsets[row[0]] = words[0]
    return synsets


def _is_image(name: str) -> bool:
    return name.startswith(_IMAGE_NAME) and name.removeprefix(_IMAGE_NAME).isdigit()
