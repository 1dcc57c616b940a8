"""The manifest of a bundle: every file with its checksum, and what was left out."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashbench.core.canonical import canonical_json, digest_bytes
from hashbench.core.errors import DamagedStoreError

NAME = "manifest.json"
# A file of a store, or a document about it; never a path that leads out of the bundle.
FILE = re.compile(
    r"store\.json|[0-9a-f]{16}/[A-Za-z0-9_][A-Za-z0-9_.-]*"
    r"|matrix\.json|constraints-[0-9]+\.txt|CITATION\.cff|references\.bib|README\.txt"
)
STORED = re.compile(r"store\.json|[0-9a-f]{16}/.*")

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(pattern=f"^(?:{FILE.pattern})$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSeal(_Part):
    """A file's checksum and size."""

    sha256: _Sha256
    bytes: Annotated[int, Field(ge=0)]


class Manifest(_Part):
    """The list of a bundle's files.

    Attributes:
        files: Every file but the manifest, by name.
        absent: Checksums of artifacts that records name and that were left out, by ``FIT_ID/FILE``.
    """

    format: Literal["hashbench-bundle"] = "hashbench-bundle"
    version: Literal[1] = 1
    files: dict[_Name, FileSeal]
    absent: dict[_Name, _Sha256] = {}

    def data(self) -> bytes:
        """The manifest as JSON bytes; equal content gives equal bytes."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def read(cls, data: bytes, *, source: str) -> Manifest:
        """Read a manifest.

        Args:
            data: The content of its file.
            source: The bundle's name, for messages.

        Raises:
            DamagedStoreError: If this version cannot read it.
        """
        try:
            found = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or NAME
            raise DamagedStoreError(
                f"bundle {source}: {NAME} cannot be read ({where}: {first['msg']}); ask for the "
                f"bundle again, or use the hashbench that made it"
            ) from None
        if found.data() != data:
            raise DamagedStoreError(
                f"bundle {source}: {NAME} was changed; ask for the bundle again"
            )
        return found


def seal_file(data: bytes) -> FileSeal:
    """The checksum and size of a file's content."""
    return FileSeal(sha256=digest_bytes(data), bytes=len(data))
