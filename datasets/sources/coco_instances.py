"""COCO's ``instances_*.json``: which categories are on which image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashbench.core.errors import DataError
from hashbench.datasets.sources.annotated_photos import REMEDY
from hashbench.datasets.sources.annotation_text import read_annotation

_MOST_BYTES = 2**30  # instances_train2017.json, the largest, has 448 MB
_NEEDED = {
    *("images", "annotations", "categories"),
    *("id", "file_name", "name", "image_id", "category_id"),
}


@dataclass(frozen=True, slots=True)
class Instances:
    """What one file says.

    Attributes:
        files: File name by image id, the ids rising; images without an object too.
        categories: Category name by its id, the ids rising.
        found: Category ids by image id, for images with an object.
    """

    files: Mapping[int, str]
    categories: Mapping[int, str]
    found: Mapping[int, frozenset[int]]


def read_instances(path: Path) -> Instances:
    """Read a file.

    Args:
        path: ``instances_train2014.json`` or one like it.

    Raises:
        DataError: If it is missing, no JSON, lacks what every such file has, or an object is on an
            image or of a category that the file does not list.
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
            read_annotation(path, most_bytes=_MOST_BYTES), object_hook=_what_is_needed
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON, found: {error}; {REMEDY}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, found none; {REMEDY}")
    return content


def _what_is_needed(entry: dict[str, Any]) -> dict[str, Any]:
    """Outlines and boxes are nine tenths of the file: drop them as soon as they are parsed."""
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
