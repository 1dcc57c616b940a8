"""Datasets that a user imported: ``imported/NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from hashbench.core.errors import ConfigError, DataError, did_you_mean
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.datasets.interface import Dataset, ImageData
from hashbench.datasets.reading.decode_cache import open_decoded
from hashbench.datasets.roots import DATA_ROOT_VARIABLE, DESCRIPTION, IMPORTED, imported_folders

PIXELS: Final = "pixels"
LABELS: Final = "labels.npy"
NAMES: Final = "names.txt"
PROTOCOLS: Final = "protocols"
REPORT: Final = "report.json"
_REMEDY: Final = "remove its folder and import it again"


class Description(BaseModel):
    """The content of ``dataset.json``, which describes an imported dataset.

    Attributes:
        format: Version of the layout.
        several_labels: Whether an image may have any number of labels.
        pixels: The file of decoded pixels, in the folder ``pixels``.
        origin: SHA-256 of the imported files and settings; importing the same again does nothing.
        warnings: Warnings that go into every record.
        unreadable: Number of files that could not be read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    classes: tuple[str, ...]
    several_labels: bool
    images: PositiveInt
    pixels: str
    origin: str
    warnings: tuple[str, ...] = ()
    unreadable: NonNegativeInt = 0


def read_description(folder: Path) -> Description:
    """Read the ``dataset.json`` of the folder of an imported dataset.

    Raises:
        DataError: If it is missing or damaged.
    """
    path = folder / DESCRIPTION
    try:
        return Description.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}; {_REMEDY}") from None


class ImportedData(Dataset):
    """Your own images, imported as NAME by ``hashbench data import``."""

    info: ClassVar[ComponentInfo] = ComponentInfo(title="Imported images")
    default_protocol: ClassVar[str] = ""
    name: ClassVar[str] = ""

    @classmethod
    def member(cls, name: str) -> type[Self]:
        """Return the class of one imported dataset.

        Args:
            name: The NAME of ``imported/NAME``.

        Raises:
            ConfigError: If no data root has it; the message names the nearest.
            DataError: If its description is damaged.
        """
        found = read_description(_folder(name))
        kind = LabelKind.MULTI if found.several_labels else LabelKind.SINGLE
        facts = {
            "__doc__": f"Imported images: {name}.",
            "name": name,
            "default_protocol": f"{name}@1",
            "info": ComponentInfo(title=f"Imported images: {name}", labels=frozenset({kind})),
        }
        return type(f"Imported_{name}", (cls,), facts)

    def load(self, root: Path | None) -> ImageData:
        """Open the decoded images.

        Args:
            root: A data root to search first.

        Returns:
            uint8 (N, side, side, 3), memory-mapped, and labels uint8 (N, classes).

        Raises:
            ConfigError: If no data root has the dataset.
            DataError: If a file is missing or damaged.
        """
        folder = _folder(self.name, root)
        found = read_description(folder)
        try:
            labels = np.load(folder / LABELS, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / LABELS}: cannot be read: {error}; {_REMEDY}") from None
        images = open_decoded(folder / PIXELS / found.pixels).images
        return ImageData(images, labels, found.classes, warnings=found.warnings)

    def names(self, root: Path | None) -> Sequence[str]:
        """Return the paths of the imported files, in the order of positions.

        Raises:
            ConfigError: If no data root has the dataset.
            DataError: If the file of names is missing or damaged.
        """
        path = _folder(self.name, root) / NAMES
        try:
            return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read: {error}; {_REMEDY}") from None

    def is_here(self, root: Path | None) -> bool:
        """Whether a data root contains the dataset."""
        del root
        return self.name in imported_folders()

    def describe(self) -> dict[str, Any]:
        """Plain facts for ``hashbench describe``."""
        if not self.name:
            return {
                "imported": sorted(imported_folders()),
                "looked for in": f"DATA_ROOT/{IMPORTED}",
            }
        folder = _folder(self.name)
        found = read_description(folder)
        return {
            "images": f"{found.images:,}, {len(found.classes)} classes",
            "classes": list(found.classes),
            "unreadable files": found.unreadable,
            "warnings": list(found.warnings),
            "report": str(folder / REPORT),
        }


def _folder(name: str, root: Path | None = None) -> Path:
    if not name:
        raise ConfigError(f"'{IMPORTED}/*' stands for many names; give one of them")
    if root is not None and (root / IMPORTED / name / DESCRIPTION).is_file():
        return root / IMPORTED / name
    folders = imported_folders()
    if name not in folders:
        known = did_you_mean(name, sorted(folders))
        raise ConfigError(
            f"{IMPORTED}/{name}: no such imported dataset. {known} Import one with `hashbench data "
            f"import`, or set {DATA_ROOT_VARIABLE} to the data root it was imported into"
        )
    return folders[name]
