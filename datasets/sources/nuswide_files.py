"""NUS-WIDE's annotation files: concepts, the list of images, and the ground truth of a concept."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.sources.annotated_photos import REMEDY
from hashbench.datasets.sources.annotation_text import read_annotation, read_lines

IMAGE_LIST = "ImageList/Imagelist.txt"
GROUND_TRUTH = "Groundtruth/AllLabels"
CONCEPTS = ("ConceptsList/Concepts81.txt", "Concepts81.txt")
_MOST_BYTES = 2**25
_MOST_CONCEPT_BYTES = 2**16
_FLAGS = {b"0": 0, b"1": 1}


def read_concepts(folder: Path) -> tuple[str, ...]:
    """Read the names of the concepts, which are the columns of the labels.

    Args:
        folder: The folder that has ``Concepts81.txt``, or ``ConceptsList`` with it.

    Raises:
        DataError: If it is missing, or a name is no plain word or there twice.
    """
    place = next((name for name in CONCEPTS if (folder / name).exists()), CONCEPTS[0])
    names = read_lines(folder / place, most_bytes=_MOST_CONCEPT_BYTES)
    for name in names:
        if not name.isalnum() or names.count(name) > 1:
            raise DataError(
                f"{folder / place}: expected words that are all different, found '{name:.40}'; "
                f"{REMEDY}"
            )
    return tuple(names)


def read_image_list(folder: Path) -> list[PurePosixPath]:
    r"""Read the names of the images, e.g. ``actor\0001_2124494179.jpg``.

    Args:
        folder: The folder that has ``ImageList/Imagelist.txt``.

    Returns:
        One path ``concept/NUMBER_FLICKRID.jpg`` an image, in the order of the file.

    Raises:
        DataError: If it is missing, or a line is no such path.
    """
    path = folder / IMAGE_LIST
    lines = read_lines(path, most_bytes=_MOST_BYTES)
    names = [PurePosixPath(line.replace("\\", "/")) for line in lines]
    for number, name in enumerate(names, start=1):
        if name.is_absolute() or ".." in name.parts or "_" not in name.stem:
            raise DataError(
                f"{path}:{number}: expected CONCEPT\\NUMBER_FLICKRID.jpg, found '{name!s:.80}'; "
                f"{REMEDY}"
            )
    return names


def read_ground_truth(folder: Path, concept: str, *, images: int) -> NDArray[np.uint8]:
    """Read which images show a concept.

    Args:
        folder: The folder that has ``Groundtruth/AllLabels``.
        concept: Its name.
        images: Number of images in the list.

    Returns:
        uint8 (images,) of 0 and 1.

    Raises:
        DataError: If the file is missing, has another number of lines, or a line is not 0 or 1.
    """
    path = folder / GROUND_TRUTH / f"Labels_{concept}.txt"
    words = read_annotation(path, most_bytes=_MOST_BYTES).split()
    if len(words) != images:
        raise DataError(
            f"{path}: expected {images} lines (as in {IMAGE_LIST}), found {len(words)}; {REMEDY}"
        )
    for number, word in enumerate(words, start=1):
        if word not in _FLAGS:
            raise DataError(f"{path}:{number}: expected 0 or 1, found another; {REMEDY}")
    return np.fromiter(map(_FLAGS.__getitem__, words), dtype=np.uint8, count=images)
