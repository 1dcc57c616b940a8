"""MIRFLICKR-25000 from its photos and version 0.80 of its annotations."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
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
    read_lines,
)

POTENTIAL = (
    *("animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor"),
    *("lake", "male", "night", "people", "plant_life", "portrait", "river", "sea", "sky"),
    *("structures", "sunset", "transport", "tree", "water"),
)
RELEVANT = (
    *("baby_r1", "bird_r1", "car_r1", "clouds_r1", "dog_r1", "female_r1", "flower_r1", "male_r1"),
    *("night_r1", "people_r1", "portrait_r1", "river_r1", "sea_r1", "tree_r1"),
)
CLASSES = tuple(sorted(POTENTIAL + RELEVANT))
IMAGES = 25_000
LEAST_USES = 20  # photos that a tag must be on to count
PHOTOS_BELOW_ROOT = ("mirflickr", "mirflickr25k/mirflickr", "")
ANNOTATIONS_BELOW_ROOT = (
    "mirflickr25k_annotations_v080",
    "mirflickr/mirflickr25k_annotations_v080",
    "mirflickr25k/mirflickr25k_annotations_v080",
    "mirflickr/annotations",
)
_MOST_BYTES = 2**20
_DIGITS = re.compile(r"[0-9]{1,9}")
_SOURCE = (
    "https://press.liacs.nl/mirflickr: mirflickr25k.zip as 'mirflickr', and "
    "mirflickr25k_annotations_v080.zip in a folder of that name"
)
_LICENCE = "photos Creative Commons, each as its owner on Flickr states"


class MIRFlickr(PhotoDataset):
    """All 25,000 photos in the order of their numbers, with all 38 labels."""

    NAME: ClassVar[str] = "mirflickr"
    SOURCE: ClassVar[str] = _SOURCE
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="MIRFLICKR-25000",
        paper="Huiskes and Lew, The MIR Flickr Retrieval Evaluation, MIR 2008",
        citation="huiskes2008mirflickr",
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "mirflickr-38@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read the 38 annotation files; see `PhotoDataset.annotated`."""
        return read_mirflickr(*_folders(self, root), images=IMAGES)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "25,000 photos; 24 potential labels and, as NAME_r1, 14 relevant ones; 419 "
            "photos have none",
            "classes": list(CLASSES),
            "looked for": ["im1.jpg to im25000.jpg", "animals.txt to water.txt"],
            "in": [f"DATA_ROOT/{place}" for place in PHOTOS_BELOW_ROOT + ANNOTATIONS_BELOW_ROOT],
            "source": self.SOURCE,
            "licence": _LICENCE,
        }


class MIRFlickrTagged(PhotoDataset):
    """The photos that have a label and a tag that is on at least 20 photos, with all 38 labels."""

    NAME: ClassVar[str] = "mirflickr_tagged"
    SOURCE: ClassVar[str] = _SOURCE
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="MIRFLICKR-25000, photos with tags",
        paper=MIRFlickr.info.paper,
        citation=MIRFlickr.info.citation,
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "mirflickr-24@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read the annotation files and the tags; see `PhotoDataset.annotated`."""
        photos, annotations = _folders(self, root)
        everything = read_mirflickr(photos, annotations, images=IMAGES)
        tagged = read_tagged(photos / "meta" / "tags", images=IMAGES, least_uses=LEAST_USES)
        kept = np.flatnonzero(tagged & everything.labels.any(axis=1))
        files = [everything.files[position] for position in kept.tolist()]
        return AnnotatedPhotos(files, everything.labels[kept], everything.classes)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "20,015 of the 25,000 photos, by the field's count",
            "classes": list(CLASSES),
            "looked for": "what 'mirflickr' needs, and meta/tags/tags1.txt to tags25000.txt",
            "source": self.SOURCE,
            "licence": _LICENCE,
        }


def read_mirflickr(photos: Path, annotations: Path, *, images: int) -> AnnotatedPhotos:
    """Read the annotation files (``animals.txt`` and the others) of photos (``im1.jpg``, ...).

    Returns:
        The photos in the order of their numbers; columns in alphabetical order.

    Raises:
        DataError: If a file is missing, or has a line that is no number of a photo.
    """
    labels = np.zeros((images, len(CLASSES)), dtype=np.uint8)
    for column, name in enumerate(CLASSES):
        labels[read_numbers(annotations / f"{name}.txt", images=images) - 1, column] = 1
    names = [f"im{number}.jpg" for number in range(1, images + 1)]
    return AnnotatedPhotos([ImageFile(name, photos / name) for name in names], labels, CLASSES)


def read_numbers(path: Path, *, images: int) -> NDArray[np.int64]:
    """Read an annotation file: the numbers of the photos that have the label, one a line.

    Returns:
        int64 (M,), each from 1 to ``images``.

    Raises:
        DataError: If it is missing, or a line is no number of a photo.
    """
    lines = read_lines(path, most_bytes=_MOST_BYTES)
    for place, line in enumerate(lines, start=1):
        if not (_DIGITS.fullmatch(line) and 1 <= int(line) <= images):
            raise DataError(
                f"{path}: expected numbers from 1 to {images}, found '{line:.40}' as number "
                f"{place}; {REMEDY}"
            )
    return np.array(lines, dtype=np.int64)


def read_tagged(folder: Path, *, images: int, least_uses: int) -> NDArray[np.bool_]:
    """Read the tags from ``tags1.txt`` and so on, one file a photo, one tag a line.

    Returns:
        bool (images,): whether a photo has a tag that is on at least ``least_uses`` photos.

    Raises:
        DataError: If a file is missing or no text.
    """
    tags = [
        set(read_lines(folder / f"tags{number}.txt", most_bytes=_MOST_BYTES))
        for number in range(1, images + 1)
    ]
    uses = Counter(tag for those in tags for tag in those)
    return np.array([any(uses[tag] >= least_uses for tag in those) for those in tags])


def _folders(dataset: PhotoDataset, root: Path) -> tuple[Path, Path]:
    name, source = dataset.NAME, dataset.SOURCE
    photos = find_folder(root, PHOTOS_BELOW_ROOT, marker="im1.jpg", name=name, source=source)
    annotations = find_folder(
        root, ANNOTATIONS_BELOW_ROOT, marker=f"{CLASSES[0]}.txt", name=name, source=source
    )
    return photos, annotations
