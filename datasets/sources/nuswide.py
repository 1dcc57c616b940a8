"""NUS-WIDE from its concept files and photos, and the copy that HashNet's authors published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.reading.decode_cache import ImageFile
from hashbench.datasets.sources.annotated_photos import (
    REMEDY,
    AnnotatedPhotos,
    PhotoDataset,
    find_folder,
    read_annotation,
    read_lines,
)

BELOW_ROOT = ("nuswide", "NUS-WIDE", "nus-wide", "")
IMAGE_LIST = "ImageList/Imagelist.txt"
GROUND_TRUTH = "Groundtruth/AllLabels"
CONCEPTS = ("ConceptsList/Concepts81.txt", "Concepts81.txt")
PHOTO_FOLDERS = ("Flickr", "images")
COPY_BELOW_ROOT = ("nuswide_81", "nus_wide", "nuswide_hashnet")
_ANNOTATION_SOURCE = (
    "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html: "
    "Groundtruth, ImageList, ConceptsList"
)
_PAPER = "Chua et al., NUS-WIDE: A Real-World Web Image Database, CIVR 2009"
_CITATION = "chua2009nuswide"
_LOOKED_FOR = [IMAGE_LIST, f"{GROUND_TRUTH}/Labels_CONCEPT.txt", " or ".join(CONCEPTS)]
_MOST_BYTES = 2**25
_MOST_CONCEPT_BYTES = 2**16
_FLAGS = {b"0": 0, b"1": 1}
_LICENCE = "photos as their owners on Flickr state"


class NUSWIDE(PhotoDataset):
    """All 269,648 photos in the order of the image list, with all 81 concepts."""

    NAME: ClassVar[str] = "nuswide"
    SOURCE: ClassVar[str] = f"{_ANNOTATION_SOURCE}; the photos, as the folder Flickr, on request"
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="NUS-WIDE", paper=_PAPER, citation=_CITATION, labels=frozenset({LabelKind.MULTI})
    )
    default_protocol: ClassVar[str] = "nuswide_21@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read the concept files; see `PhotoDataset.annotated`."""
        return read_nuswide(_folder(self, root))

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "269,648 photos, 81 concepts; a protocol may keep some of the concepts",
            "looked for": [*_LOOKED_FOR, "Flickr/CONCEPT/NUMBER_ID.jpg or images/NUMBER_ID.jpg"],
            "in": [f"DATA_ROOT/{place}".rstrip("/") for place in BELOW_ROOT],
            "source": self.SOURCE,
            "licence": _LICENCE,
        }


class NUSWIDEHashNet(PhotoDataset):
    """The 223,496 photos of HashNet's copy, by name, with the official labels of all 81 concepts.

    The photos were fetched from Flickr again, so their sizes differ from the original ones.
    A photo's labels are found by the Flickr id in its name.
    """

    NAME: ClassVar[str] = "nuswide_hashnet"
    SOURCE: ClassVar[str] = (
        f"the photos: https://github.com/thuml/HashNet, nus_wide.zip as nuswide_81/images; the "
        f"labels: {_ANNOTATION_SOURCE}"
    )
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="NUS-WIDE, HashNet's copy",
        paper=f"{_PAPER}; Cao et al., HashNet, ICCV 2017",
        citation=_CITATION,
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "nuswide_81_m@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read the concept files and the names of the photos; see `PhotoDataset.annotated`."""
        photos = find_folder(
            root, COPY_BELOW_ROOT, marker="images", name=self.NAME, source=self.SOURCE
        )
        return read_hashnet_copy(photos / "images", _folder(self, root))

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "223,496 photos, 81 concepts; a protocol may keep some of the concepts",
            "looked for": [*_LOOKED_FOR, "images/NUMBER_ID_SECRET_m.jpg"],
            "in": [f"DATA_ROOT/{place}".rstrip("/") for place in COPY_BELOW_ROOT + BELOW_ROOT],
            "source": self.SOURCE,
            "licence": _LICENCE,
        }


def read_nuswide(folder: Path) -> AnnotatedPhotos:
    """Read the annotations from the folder of ``ImageList``, ``Groundtruth`` and the photos.

    Returns:
        The photos in the order of the image list; columns in the order of ``Concepts81.txt``.

    Raises:
        DataError: If a file is missing or damaged, or there is no folder of photos.
    """
    names, labels, concepts = _read_annotations(folder)
    place = next((name for name in PHOTO_FOLDERS if (folder / name).is_dir()), None)
    if place is None:
        raise DataError(
            f"nuswide: expected the photos in {folder / PHOTO_FOLDERS[0]} (a folder for each "
            f"concept) or {folder / PHOTO_FOLDERS[1]} (all in one), found neither; put them there"
        )
    below = [str(name) if place == PHOTO_FOLDERS[0] else name.name for name in names]
    files = [ImageFile(name, folder / place / name) for name in below]
    return AnnotatedPhotos(files, labels, concepts)


def read_hashnet_copy(photos: Path, folder: Path) -> AnnotatedPhotos:
    """Read the names of the copy's photos, and find their labels in the original ``folder``.

    Returns:
        The photos by name; columns in the order of ``Concepts81.txt``.

    Raises:
        DataError: If a file is missing or damaged, or a photo's id is not in the image list, or
            appears there with different labels.
    """
    names, labels, concepts = _read_annotations(folder)
    rows = _rows_by_id(names, labels)
    found = sorted(path.name for path in photos.glob("*.jpg"))
    places = [_row_of(photos / name, rows) for name in found]
    files = [ImageFile(name, photos / name) for name in found]
    return AnnotatedPhotos(files, labels[places], concepts)


def _read_annotations(
    folder: Path,
) -> tuple[list[PurePosixPath], NDArray[np.uint8], tuple[str, ...]]:
    concepts = read_concepts(folder)
    names = read_image_list(folder)
    labels = np.zeros((len(names), len(concepts)), dtype=np.uint8)
    for column, concept in enumerate(concepts):
        labels[:, column] = read_ground_truth(folder, concept, images=len(names))
    return names, labels, concepts


def _rows_by_id(names: Sequence[PurePosixPath], labels: NDArray[np.uint8]) -> dict[str, int]:
    """Return the row of each Flickr id; -1 if an id has different labels."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        photo = name.stem.rpartition("_")[2]
        first = rows.setdefault(photo, row)
        if first >= 0 and not np.array_equal(labels[first], labels[row]):
            rows[photo] = -1
    return rows


def _row_of(path: Path, rows: dict[str, int]) -> int:
    parts = path.stem.split("_")
    row = rows.get(parts[1], -1) if len(parts) > 1 else -1
    if row < 0:
        raise DataError(
            f"{path}: expected NUMBER_ID_SECRET_m.jpg with a Flickr id that {IMAGE_LIST} has once, "
            f"found another; {REMEDY}"
        )
    return row


def _folder(dataset: PhotoDataset, root: Path) -> Path:
    return find_folder(
        root, BELOW_ROOT, marker=IMAGE_LIST, name=dataset.NAME, source=dataset.SOURCE
    )


def read_concepts(folder: Path) -> tuple[str, ...]:
    """Read the names of the concepts, which are the label columns, from ``Concepts81.txt``.

    Raises:
        DataError: If it is missing, or a name is no plain word or is repeated.
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

    Returns:
        One path ``concept/NUMBER_FLICKRID.jpg`` an image, in the order of the file.

    Raises:
        DataError: If the list is missing, or a line is no such path.
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

    Returns:
        uint8 (images,) of 0 and 1.

    Raises:
        DataError: If the file is missing, does not have ``images`` lines, or one is not 0 or 1.
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
