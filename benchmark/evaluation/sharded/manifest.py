"""The manifest of a folder of shards: which files, how many codes, of what length."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashbench.core.canonical import canonical_json, digest
from hashbench.core.codes import MAX_BITS
from hashbench.core.errors import DataError
from hashbench.core.files import write_atomically

NAME = "manifest.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Strict):
    """A file beside the manifest.

    Attributes:
        file: Its name.
        bytes: Its size.
        sha256: Its checksum.
    """

    file: str = Field(pattern=r"^[^./\\][^/\\]*$")
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ShardEntry(_Strict):
    """A part of the database.

    Attributes:
        items: Its codes.
        codes: Where they are.
        labels: Where their labels are; the same file where a .safetensors file has both.
    """

    items: int = Field(ge=1)
    codes: FileEntry
    labels: FileEntry | None = None


class Manifest(_Strict):
    """What a folder holds, shards in the order of the database.

    Attributes:
        format: Says what this file is.
        version: Of the format.
        bits: Code length.
        classes: Number of labels; None without labels.
        order_seed: The seed of the order of the items that ``ties=stable`` takes, where the items
            stand in that order; None where they do not.
        shards: The parts.
    """

    format: Literal["hashbench-shards"] = "hashbench-shards"
    version: Literal[1] = 1
    bits: int = Field(ge=1, le=MAX_BITS)
    classes: int | None = Field(default=None, ge=1)
    order_seed: int | None = Field(default=None, ge=0)
    shards: list[ShardEntry] = Field(min_length=1)

    @property
    def sha256(self) -> str:
        """A digest of all it says, and by the checksums of all that is in the files."""
        return digest(self.model_dump())

    def write(self, folder: Path) -> None:
        """Write it into a folder.

        Raises:
            StoreError: If it cannot be written.
        """
        write_atomically(folder / NAME, canonical_json(self.model_dump()) + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read a folder's manifest.

        Raises:
            DataError: If there is none, or it is damaged.
        """
        path = folder / NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise DataError(
                f"{folder}: no folder of shards (it has no {NAME}); hashbench shards adopt writes "
                f"one for files of packed codes"
            ) from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its text"
            raise DataError(f"{path}: {where:.80}: {first['msg']}; write it anew") from None
