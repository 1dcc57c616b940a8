"""The manifest of a folder of shards: its files, their codes and the code length."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashbench.core.canonical import canonical_json, digest, digest_file
from hashbench.core.codes import MAX_BITS
from hashbench.core.errors import DataError
from hashbench.core.files import write_atomically

NAME = "manifest.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Strict):
    """A file in the folder of the manifest.

    Attributes:
        file: Name of the file.
        bytes: Size of the file.
        sha256: Checksum of the file.
    """

    file: str = Field(pattern=r"^[^./\\][^/\\]*$")
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """Read a file's size and checksum."""
        return cls(file=path.name, bytes=path.stat().st_size, sha256=digest_file(path))


class ShardEntry(_Strict):
    """A shard: a part of the database.

    Attributes:
        items: Number of codes.
        codes: File of the codes.
        labels: File of the labels; the same as ``codes`` where a .safetensors file holds both.
    """

    items: int = Field(ge=1)
    codes: FileEntry
    labels: FileEntry | None = None


class Manifest(_Strict):
    """The content of a folder, shards in the order of the database.

    Attributes:
        format: Name of the file format.
        version: Version of the file format.
        bits: Code length.
        classes: Number of classes; None without labels.
        order_seed: Seed of the order of ``ties=stable``, if the items are stored in that order.
        shards: The parts of the database.
    """

    format: Literal["hashbench-shards"] = "hashbench-shards"
    version: Literal[1] = 1
    bits: int = Field(ge=1, le=MAX_BITS)
    classes: int | None = Field(default=None, ge=1)
    order_seed: int | None = Field(default=None, ge=0)
    shards: list[ShardEntry] = Field(min_length=1)

    @property
    def sha256(self) -> str:
        """Digest of the manifest, and through the checksums of the content of all files."""
        return digest(self.model_dump())

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder.

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
                f"{folder}: is not a folder of shards, because it has no {NAME}; hashbench shards "
                f"adopt writes one for files of packed codes"
            ) from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its text"
            raise DataError(f"{path}: {where:.80}: {first['msg']}; write it anew") from None
