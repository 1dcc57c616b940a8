"""PASCAL VOC 2012, train and val together, from ``VOCdevkit/VOC2012``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

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

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
BELOW_ROOT = ("VOCdevkit/VOC2012", "voc2012/VOCdevkit/VOC2012", "VOC2012")
LIST = "ImageSets/Main/trainval.txt"
_MOST_LIST_BYTES = 2**22
_MOST_XML_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class VOCObject:
    """An annotated object: its class, and whether the challenge leaves it out as difficult."""

    name: str
    difficult: bool


class VOC2012(PhotoDataset):
    """The images of the classification task, by name, with the objects that are not difficult."""

    NAME: ClassVar[str] = "voc2012"
    SOURCE: ClassVar[str] = (
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012: VOCtrainval_11-May-2012.tar"
    )
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="PASCAL VOC 2012",
        paper="Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 111, 2015",
        citation="everingham2015pascal",
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "voc2012@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read the list of images and their XML files; see `PhotoDataset.annotated`."""
        folder = find_folder(root, BELOW_ROOT, marker=LIST, name=self.NAME, source=self.SOURCE)
        return read_voc(folder)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "11,540 photos with objects of 20 classes (train and val)",
            "classes": list(CLASSES),
            "looked for": [LIST, "Annotations/*.xml", "JPEGImages/*.jpg"],
            "in": [f"DATA_ROOT/{place}" for place in BELOW_ROOT],
            "source": self.SOURCE,
            "licence": "annotations free to use; photos as their owners on Flickr state",
        }


def read_voc(folder: Path) -> AnnotatedPhotos:
    """Read the list of images and the XML files it names, below ``VOCdevkit/VOC2012``.

    Returns:
        The images of the list, by name. Objects marked as difficult do not count, as in the
        challenge's own class lists.

    Raises:
        DataError: If a file is missing or damaged, or an object's class is none of the twenty.
    """
    names = sorted(read_lines(folder / LIST, most_bytes=_MOST_LIST_BYTES))
    for name in names:
        if not name.replace("_", "").isalnum():
            raise DataError(f"{folder / LIST}: expected image names, found '{name:.80}'; {REMEDY}")
    files = [ImageFile(f"{name}.jpg", folder / "JPEGImages" / f"{name}.jpg") for name in names]
    rows = [_row(folder / "Annotations" / f"{name}.xml") for name in names]
    labels = np.array(rows, dtype=np.uint8).reshape(len(names), len(CLASSES))
    return AnnotatedPhotos(files, labels, CLASSES)


def _row(path: Path) -> NDArray[np.uint8]:
    row = np.zeros(len(CLASSES), dtype=np.uint8)
    for found in read_voc_objects(path):
        if found.name not in CLASSES:
            raise DataError(
                f"{path}: expected one of the twenty classes, found '{found.name:.40}'; {REMEDY}"
            )
        row[CLASSES.index(found.name)] |= not found.difficult
    return row


def read_voc_objects(path: Path) -> list[VOCObject]:
    """Read the objects of one image, in the order of the file and without their parts.

    Raises:
        DataError: If the file is missing, is no such XML, or has a document type (entities in it
            could expand without end; the published files have none).
    """
    content = read_annotation(path, most_bytes=_MOST_XML_BYTES)
    try:
        text = content.decode("utf-8")
        if "<!DOCTYPE" in text:
            raise DataError(f"{path}: expected XML without a document type, found one; {REMEDY}")
        annotation = ElementTree.fromstring(text)  # noqa: S314 - there are no entities in it
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise DataError(f"{path}: expected XML, found: {error}; {REMEDY}") from None
    if annotation.tag != "annotation":
        raise DataError(
            f"{path}: expected the element 'annotation', found '{annotation.tag}'; {REMEDY}"
        )
    return [
        VOCObject(
            entry.findtext("name", "").strip(), entry.findtext("difficult", "").strip() == "1"
        )
        for entry in annotation.findall("object")
    ]
