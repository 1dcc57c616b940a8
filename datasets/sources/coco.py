"""COCO 2014, train and val together, from its image folders and ``instances_*.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
    read_annotation,
)

PARTS = ("train2014", "val2014")
BELOW_ROOT = ("coco", "")
_MOST_BYTES = 2**30  # instances_train2017.json, the largest, has 448 MB
_NEEDED = {
    *("images", "annotations", "categories"),
    *("id", "file_name", "name", "image_id", "category_id"),
}


@dataclass(frozen=True, slots=True)
class Instances:
    """The content of one ``instances_*.json``.

    Attributes:
        files: File name by image id, the ids rising, with images without an object.
        categories: Category name by its id, the ids rising.
        found: Category ids by image id, for images with an object.
    """

    files: Mapping[int, str]
    categories: Mapping[int, str]
    found: Mapping[int, frozenset[int]]


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
    """Read the annotations of both parts, from the folder of ``annotations`` and the images.

    Returns:
        Images with an object, train part first, each part by image id; columns by category id.

    Raises:
        DataError: If a file is missing or damaged, or the parts have different categories.
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
    """Return ids and names of the images with an object; names of other folders are refused."""
    for name in instances.files.values():
        if PurePosixPath(name).name != name:
            raise DataError(f"{where}: expected plain file names, found '{name:.80}'; {REMEDY}")
    return [(image, name) for image, name in instances.files.items() if image in instances.found]


def _annotations(part: str) -> str:
    return f"annotations/instances_{part}.json"


def read_instances(path: Path) -> Instances:
    """Read an ``instances_*.json``.

    Raises:
        DataError: If it is missing, no JSON, lacks a key that every such file has, or an object
            names an image or category that the file does not list.
    """
    content = _parse(path)
    files = _table(content, "images", "file_name", where=path)
    categories = _table(content, "categories", "name", where=path)
    found: dict[int, set[int]] = {}
    for entry in _entries(content, "annotations", where=path):
        image = _known(entry, "image_id", files, where=path)
        found.setdefault(image, set()).add(_known(entry, "category_id", categories, where=path))
    return Instances(files, categories, {image: frozenset(ids) for image, ids in found.items()})


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(
            read_annotation(path, most_bytes=_MOST_BYTES), object_hook=_keep_needed
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, found: {error}; {REMEDY}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, found none; {REMEDY}")
    return content


def _keep_needed(entry: dict[str, Any]) -> dict[str, Any]:
    """Drop outlines and boxes, nine tenths of the file, as soon as they are parsed."""
    return {key: value for key, value in entry.items() if key in _NEEDED}


def _entries(content: Mapping[str, Any], key: str, *, where: Path) -> list[dict[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{where}: expected '{key}' as a list of objects, found none; {REMEDY}")
    return entries


def _table(content: Mapping[str, Any], key: str, value: str, *, where: Path) -> dict[int, str]:
    table: dict[int, str] = {}
    for entry in _entries(content, key, where=where):
        number, word = entry.get("id"), entry.get(value)
        if type(number) is not int or not isinstance(word, str):
            raise DataError(
                f"{where}: expected 'id' and '{value}' in every entry of '{key}', found "
                f"{str(entry)[:80]}; {REMEDY}"
            )
        if number in table:
            raise DataError(f"{where}: '{key}' has the id {number} twice; {REMEDY}")
        table[number] = word
    return dict(sorted(table.items()))


def _known(entry: Mapping[str, Any], key: str, table: Mapping[int, str], *, where: Path) -> int:
    number = entry.get(key)
    if type(number) is not int or number not in table:
        raise DataError(
            f"{where}: expected a '{key}' that the file lists, found {str(number)[:40]}; {REMEDY}"
        )
    return number
