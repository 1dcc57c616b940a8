"""COCO 2014, train and val together, from its image folders and ``instances_*.json``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.reading.decode_cache import ImageFile
from hashbench.datasets.sources.annotated_photos import (
    REMEDY,
    AnnotatedPhotos,
    PhotoDataset,
    find_folder,
)
from hashbench.datasets.sources.coco_instances import Instances, read_instances

PARTS = ("train2014", "val2014")
BELOW_ROOT = ("coco", "")


class COCO(PhotoDataset):
    """The images with at least one object: those of train2014 by id, then those of val2014."""

    NAME: ClassVar[str] = "coco"
    SOURCE: ClassVar[str] = (
        "https://cocodataset.org/#download: train2014.zip, val2014.zip, "
        "annotations_trainval2014.zip"
    )
    info: ClassVar[ComponentInfo] = ComponentInfo(
        title="COCO 2014",
        paper="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
        citation="lin2014coco",
        labels=frozenset({LabelKind.MULTI}),
    )
    default_protocol: ClassVar[str] = "coco@1"

    def annotated(self, root: Path) -> AnnotatedPhotos:
        """Read both annotation files; see `PhotoDataset.annotated`."""
        folder = find_folder(
            root, BELOW_ROOT, marker=_annotations(PARTS[0]), name=self.NAME, source=self.SOURCE
        )
        return read_coco(folder)

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        return {
            "images": "122,218 photos with objects of 80 categories (82,081 of train2014, 40,137 "
            "of val2014; 1,069 more have none and are left out)",
            "classes": "80, by category id",
            "looked for": [f"{part}/*.jpg and {_annotations(part)}" for part in PARTS],
            "in": ["DATA_ROOT/coco", "DATA_ROOT"],
            "source": self.SOURCE,
            "licence": "annotations CC BY 4.0; photos as their owners on Flickr state",
        }


def read_coco(folder: Path) -> AnnotatedPhotos:
    """Read the annotations of both parts.

    Args:
        folder: The folder that has ``annotations``, ``train2014`` and ``val2014``.

    Returns:
        Images with an object, train part first, each part by image id; columns by category id.

    Raises:
        DataError: If a file is missing or damaged, or the parts have other categories.
    """
    parts = {part: read_instances(folder / _annotations(part)) for part in PARTS}
    categories, *others = (instances.categories for instances in parts.values())
    if any(other != categories for other in others):
        raise DataError(
            f"{folder / _annotations(PARTS[1])}: expected the categories of {PARTS[0]}, found "
            f"others; {REMEDY}"
        )
    columns = {number: column for column, number in enumerate(categories)}
    files: list[ImageFile] = []
    rows: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    for part, instances in parts.items():
        for image, name in _labelled(instances, folder / _annotations(part)):
            files.append(ImageFile(f"{part}/{name}", folder / part / name))
            row = np.zeros(len(columns), dtype=np.uint8)
            row[[columns[number] for number in instances.found[image]]] = 1
            rows.append(row)
    labels = np.stack(rows) if rows else np.zeros((0, len(columns)), dtype=np.uint8)
    return AnnotatedPhotos(files, labels, tuple(categories.values()))


def _labelled(instances: Instances, where: Path) -> list[tuple[int, str]]:
    """Ids and names of the images with an object; a name that leads elsewhere is refused."""
    for name in instances.files.values():
        if PurePosixPath(name).name != name:
            raise DataError(f"{where}: expected plain file names, found '{name:.80}'; {REMEDY}")
    return [(image, name) for image, name in instances.files.items() if image in instances.found]


def _annotations(part: str) -> str:
    return f"annotations/instances_{part}.json"
