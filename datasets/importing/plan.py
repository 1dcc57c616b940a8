"""The plan of an import: source, labels and settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hashbench.core.canonical import digest, digest_file
from hashbench.core.errors import ConfigError, DataError
from hashbench.datasets.importing.csv_labels import TableColumns, read_table
from hashbench.datasets.importing.image_source import FolderSource, ImageSource
from hashbench.datasets.importing.labelled_files import (
    LabelledFiles,
    combine_lists,
    near_miss,
    read_folders,
)
from hashbench.datasets.importing.split import AutoSplit
from hashbench.datasets.importing.zip_source import ZipSource
from hashbench.datasets.reading.list_file import read_list

FOLDERS = "folders"
_LISTS = {
    "train": ("train.txt",),
    "query": ("test.txt", "query.txt"),
    "database": ("database.txt",),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The source, labels and settings of an import.

    Attributes:
        source: A folder or a zip file.
        labels: ``folders``; a CSV file; a list file of all images; or a folder with the lists
            ``train.txt``, ``test.txt`` (or ``query.txt``) and ``database.txt``.
        name: The dataset is ``imported/NAME``, its protocol ``NAME@1``.
        lists: Whether the protocol is that of the lists; else one is drawn.
        side: Side of the decoded images, in pixels.
        image_size: Side of the network input, in pixels.
        auto: Settings of the drawn split.
        columns: Columns of a CSV file.
        classes: A file with a class name a line, for lists.
        allow_missing: Whether listed images that do not exist are left out with a warning.

    Raises:
        ConfigError: If the name is not valid, or the settings contradict each other.
    """

    source: Path
    labels: str
    name: str
    lists: bool = False
    side: int = 256
    image_size: int = 224
    auto: AutoSplit = field(default_factory=AutoSplit)
    columns: TableColumns = field(default_factory=TableColumns)
    classes: Path | None = None
    allow_missing: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"name '{self.name}': expected small letters, digits, '-' and '_', the first a "
                f"letter or digit"
            )
        if self.lists and not (self.labels != FOLDERS and Path(self.labels).is_dir()):
            raise ConfigError(
                f"labels {self.labels}: protocol lists needs a folder with train.txt, test.txt and "
                f"database.txt"
            )

    def open_source(self) -> ImageSource:
        """Open the folder or zip file.

        Raises:
            DataError: If it is neither or has no image.
        """
        return ZipSource(self.source) if self.source.is_file() else FolderSource(self.source)

    def read_labels(self, files: Sequence[str]) -> LabelledFiles:
        """Read the labels of the source's image files.

        Raises:
            DataError: If they cannot be read, or name images that do not exist and may not be
                missing.
        """
        found = self._read(files)
        if found.missing and not self.allow_missing:
            advice = near_miss(found.missing[0], files)
            raise DataError(
                f"labels {self.labels}: {len(found.missing)} of "
                f"{len(found.missing) + len(found.names)} images do not exist (first: "
                f"{found.missing[0]!r}); "
                f"{advice or 'add them, or leave them out with --allow-missing'}"
            )
        return found

    def origin(self, source: ImageSource, labelled: LabelledFiles) -> str:
        """Compute the SHA-256 of the images' stamps, the labels and the settings, without paths."""
        settings = asdict(self)
        del settings["source"], settings["labels"], settings["classes"]
        files = [digest_file(path) for path in self._label_files()]
        stamps = [[image.name, *image.stamp()] for image in source.files(labelled.names)]
        return digest([settings, files, stamps])

    def _read(self, files: Sequence[str]) -> LabelledFiles:
        if self.labels == FOLDERS:
            return read_folders(files)
        path = Path(self.labels)
        if path.suffix.lower() == ".csv":
            return read_table(path, files, columns=self.columns)
        paths = _list_files(path) if path.is_dir() else {"list": path}
        lists = {role: read_list(file) for role, file in paths.items()}
        names = read_class_names(self.classes) if self.classes else None
        return combine_lists(lists, files, classes=names, with_roles=self.lists)

    def _label_files(self) -> list[Path]:
        if self.labels == FOLDERS:
            return []
        path = Path(self.labels)
        files = list(_list_files(path).values()) if path.is_dir() else [path]
        return [*files, *([self.classes] if self.classes else [])]


def read_class_names(path: Path) -> list[str]:
    """Read a class name from each line.

    Raises:
        DataError: If the file cannot be read, or a name is empty or repeated.
    """
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the class names cannot be read: {error}") from None
    seen: dict[str, int] = {}
    for number, name in enumerate(map(str.strip, names), start=1):
        if not name:
            raise DataError(f"{path}:{number}: expected a class name, found an empty line")
        if name in seen:
            raise DataError(f"{path}:{number}: {name!r} is repeated, first in line {seen[name]}")
        seen[name] = number
    return list(seen)


def _list_files(folder: Path) -> dict[str, Path]:
    files = {}
    for role, choices in _LISTS.items():
        paths = [folder / name for name in choices if (folder / name).is_file()]
        if len(paths) != 1:
            found = "both" if paths else "none"
            raise DataError(
                f"labels {folder}: expected {' or '.join(choices)} with the {role} images, found "
                f"{found}"
            )
        files[role] = paths[0]
    return files
