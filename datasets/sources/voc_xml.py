"""Object annotations in the XML form of the PASCAL VOC challenges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from hashbench.core.errors import DataError
from hashbench.datasets.sources.annotated_photos import REMEDY
from hashbench.datasets.sources.annotation_text import read_annotation

_MOST_BYTES = 2**20
_NAME = ["annotation", "object", "name"]
_DIFFICULT = ["annotation", "object", "difficult"]
_OBJECT = ["annotation", "object"]


@dataclass(frozen=True, slots=True)
class VOCObject:
    """One annotated object.

    Attributes:
        name: Its class.
        difficult: Whether the challenge leaves it out.
    """

    name: str
    difficult: bool


class _DoctypeError(Exception):
    """The file has a document type, which could define entities that expand without end."""


class _Objects:
    """Collects the objects while the parser goes through the file."""

    def __init__(self) -> None:
        self.found: list[VOCObject] = []
        self.root = ""
        self._path: list[str] = []
        self._words = {"name": "", "difficult": ""}

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self.root = self.root or tag
        self._path.append(tag)
        if self._path == _OBJECT:
            self._words = {"name": "", "difficult": ""}

    def text(self, words: str) -> None:
        if self._path in (_NAME, _DIFFICULT):
            self._words[self._path[-1]] += words

    def end(self, _tag: str) -> None:
        if self._path == _OBJECT:
            name = self._words["name"].strip()
            self.found.append(VOCObject(name, self._words["difficult"].strip() == "1"))
        self._path.pop()


def read_voc_objects(path: Path) -> list[VOCObject]:
    """Read the objects of one image.

    Args:
        path: The XML file.

    Returns:
        The objects in the order of the file; names of their parts are not among them.

    Raises:
        DataError: If it is missing, is no such XML, or has a document type (entities in it could
            expand without end; the published files have none).
    """
    content = read_annotation(path, most_bytes=_MOST_BYTES)
    objects = _Objects()
    parser = expat.ParserCreate()
    parser.StartElementHandler = objects.start
    parser.EndElementHandler = objects.end
    parser.CharacterDataHandler = objects.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DataError(f"{path}: expected XML, found: {error}; {REMEDY}") from None
    except _DoctypeError:
        raise DataError(
            f"{path}: expected XML without a document type, found one; {REMEDY}"
        ) from None
    if objects.root != "annotation":
        raise DataError(
            f"{path}: expected the element 'annotation', found '{objects.root}'; {REMEDY}"
        )
    return objects.found


def _refuse(*_declaration: object) -> None:
    raise _DoctypeError
