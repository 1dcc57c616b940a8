"""The store of records, ``<root>/<fit_id>/<kind>-<record_id>.json``, and arrays beside them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hashbench.core.canonical import canonical_json, digest_bytes
from hashbench.core.errors import DamagedStoreError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.record import (
    RECORD,
    AnyRecord,
    Artifact,
    Record,
    compute_record_id,
    seal,
)
from hashbench.store.lease import Lease

MARKER = "store.json"
FORMAT = {"format": "hashbench-store", "version": 1}
_NAME_DIGITS = 16
_SHOWN = 100  # characters of a key, which may have any length
_HEADER_LENGTH_BYTES = 8  # of a safetensors file: the length of its header, then the header
# Left-over temporary files of killed processes start with a dot and are not included.
_RECORD_FILES = "[!.]*-*.json"


class Store:
    """A folder of records, each named by its own digest.

    Args:
        root: The folder. It is not checked; `open` and `create` check it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path) -> Store:
        """Open an existing store.

        Raises:
            StoreError: If there is none, or this version cannot read it.
        """
        found = cls.find(root)
        if not os.path.lexists(root / MARKER):
            raise StoreError(
                f"store {root}: no such store; run a matrix first, or name another with --store"
            )
        return found

    @classmethod
    def find(cls, root: Path) -> Store:
        """Return the store in a folder, which may not exist yet; writes nothing.

        Raises:
            StoreError: If the folder holds something else or cannot be read.
            DamagedStoreError: If the store's marker is damaged.
        """
        try:
            if root.exists() and not root.is_dir():
                raise StoreError(
                    f"store: {root} is a file, not a folder; name another with --store"
                )
            if os.path.lexists(root / MARKER):
                _check_marker(root / MARKER)
            elif root.exists() and any(root.iterdir()):
                raise StoreError(
                    f"store: {root} is neither empty nor a store (it has no {MARKER}); "
                    f"name another folder with --store"
                )
        except OSError as error:
            raise StoreError(f"store: cannot read {root}: {error.strerror or error}") from None
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> Store:
        """Open a store; it is made first if the folder is missing or empty.

        Raises:
            StoreError: If the folder holds something else or cannot be written.
        """
        found = cls.find(root)
        if not os.path.lexists(root / MARKER):
            write_atomically(root / MARKER, json.dumps(FORMAT).encode())
        return found

    def work_folder(self, fit_id: str) -> Path:
        """The folder of a cell's checkpoints and log while it runs; no part of the records."""
        return self.root / ".work" / fit_id

    def lease_folder(self, fit_id: str) -> Path:
        """The folder of a cell's leases; no part of the records."""
        return self.root / ".leases" / fit_id

    def log_file(self, fit_id: str) -> Path:
        """The output of a cell's last worker; no part of the records."""
        return self.root / ".logs" / f"{fit_id}.txt"

    @property
    def features_folder(self) -> Path:
        """The folder of features that cells share; no part of the records."""
        return self.root / ".work" / "features"

    @staticmethod
    def names_record(name: str) -> bool:
        """Whether a file with that name in a cell's folder is a record."""
        return fnmatchcase(name, _RECORD_FILES)

    def fit_ids(self) -> list[str]:
        """The ids of all cells with at least one record, sorted."""
        return sorted({path.parent.name for path in self.root.glob(f"[!.]*/{_RECORD_FILES}")})

    def write_record(self, record: AnyRecord, *, lease: Lease | None = None) -> AnyRecord:
        """Seal a record, write it, and return it with its id.

        Args:
            record: The record.
            lease: The lease under which it was made, if any.

        Raises:
            LeaseLostError: If another run took the cell over; nothing is written then.
            StoreError: If it cannot be written.
        """
        sealed = seal(record)
        data = document_bytes(sealed.model_dump(mode="json"))
        path = self._inside(sealed.fit_id, record_name(sealed))
        (lease.publish if lease else write_atomically)(path, data)
        return sealed

    def records(self, fit_id: str) -> Iterator[Record]:
        """The records of a cell, oldest first.

        Raises:
            DamagedStoreError: If a record differs from what was written.
        """
        names = [path.name for path in (self.root / fit_id).glob(_RECORD_FILES)]
        found = [read_record(self._inside(fit_id, name)) for name in names]
        yield from sorted(found, key=lambda record: (record.finished, record.record_id))

    def write_arrays(
        self, fit_id: str, name: str, arrays: Mapping[str, Any], *, metadata: Mapping[str, str]
    ) -> Artifact:
        """Write numpy arrays as safetensors, named by their checksum.

        Args:
            fit_id: Id of the cell.
            name: The kind of arrays, such as ``codes``.
            arrays: Arrays by name.
            metadata: Facts needed to read the file by itself; kept in it as JSON.

        Raises:
            StoreError: If the file cannot be written.
        """
        from safetensors.numpy import save

        # One key, since the library writes several in random order; equal arrays give equal files.
        about = {"hashbench": canonical_json(dict(metadata)).decode()}
        data = save(dict(arrays), metadata=about)
        sha256 = digest_bytes(data)
        file = f"{name}-{sha256[:_NAME_DIGITS]}.safetensors"
        write_atomically(self._inside(fit_id, file), data)
        return Artifact(file=file, sha256=sha256, bytes=len(data))

    def read_arrays(self, fit_id: str, artifact: Artifact) -> dict[str, Any]:
        """Read arrays and check them.

        Raises:
            DamagedStoreError: If the file is missing or its checksum differs.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        data = self._checked_bytes(fit_id, artifact)
        try:
            return dict(load(data))
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise self._no_arrays(fit_id, artifact, error) from None

    def read_metadata(self, fit_id: str, artifact: Artifact) -> dict[str, str]:
        """Read the metadata of arrays and check the file.

        Raises:
            DamagedStoreError: If the file is missing or its checksum differs.
        """
        data = self._checked_bytes(fit_id, artifact)
        length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "little")
        try:
            header = json.loads(data[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + length])
            return dict(json.loads(header["__metadata__"]["hashbench"]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._no_arrays(fit_id, artifact, error) from None

    def _no_arrays(self, fit_id: str, artifact: Artifact, error: Exception) -> DamagedStoreError:
        """The error for a file with the right checksum that does not hold such arrays."""
        path = self.root / fit_id / artifact.file
        why = " ".join(str(error).split())
        return DamagedStoreError(
            f"store: {path} holds no arrays this version can read ({why}); {_remedy(path.parent)}"
        )

    def _inside(self, fit_id: str, name: str) -> Path:
        """The path of a cell's file.

        Raises:
            DamagedStoreError: If it lies outside the store, by its name or through a link.
        """
        path = self.root / fit_id / name
        # Unlike Path.resolve, realpath also takes links that lead in a circle.
        real, root = Path(os.path.realpath(path)), Path(os.path.realpath(self.root))
        if not real.is_relative_to(root):
            raise DamagedStoreError(
                f"store: {path} leads out of the store; put the file itself in its place, or move "
                f"{path.parent.name} out of the store and run the matrix again"
            )
        return path

    def _checked_bytes(self, fit_id: str, artifact: Artifact) -> bytes:
        path = self._inside(fit_id, artifact.file)
        # Not the link itself: arrays may be links within the store.
        _refuse_irregular(Path(os.path.realpath(path)), _remedy(path.parent))
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DamagedStoreError(
                f"store: cannot read {path}: {error.strerror}; {_remedy(path.parent)}"
            ) from None
        found = digest_bytes(data)
        if found != artifact.sha256:
            raise DamagedStoreError(
                f"store: {path} has SHA-256 {found[:12]}…, its record says "
                f"{artifact.sha256[:12]}…; {_remedy(path.parent)}"
            )
        return data


def read_record(path: Path) -> Record:
    """Read one record, and check its digest, folder and name.

    Raises:
        DamagedStoreError: If it is unreadable, incomplete or misplaced, or its digest is not its
            id.
    """
    _refuse_irregular(path, _remedy(path))
    try:
        document = json.loads(path.read_bytes())
        record = RECORD.validate_python(document)
        written_as = compute_record_id(document)
    except OSError as error:
        raise DamagedStoreError(f"store: cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "kind"
        why = " ".join(f"{where[:_SHOWN]}: {first['msg']}".split())
        raise _damaged(path, f"is no record this version can read ({why})") from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"is not JSON ({error})") from None
    if written_as != record.record_id:
        raise _damaged(
            path,
            f"was changed after it was written (its digest is not its id {record.record_id})",
        )
    if (path.parent.name, path.name) != (record.fit_id, record_name(record)):
        raise _damaged(path, f"belongs to {record.fit_id}/{record_name(record)}")
    return record


def read_sealed(path: Path) -> Record:
    """Read one record, and check that its file has the very bytes that were written.

    Beyond `read_record`, another spacing, order of keys or spelling of a number is an edit too.

    Raises:
        DamagedStoreError: If it differs from what was written.
    """
    record = read_record(path)
    data = path.read_bytes()
    if document_bytes(json.loads(data)) != data:
        raise DamagedStoreError(
            f"store: {path} has the content that was written, but in another form (spacing, order "
            f"of keys, or spelling of a number); {_remedy(path)}"
        )
    return record


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """The bytes of a record's file."""
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def record_name(record: Record) -> str:
    """The file name of a sealed record."""
    return f"{record.kind}-{record.record_id}.json"


def describe_irregular(path: Path) -> str | None:
    """The kind of anything but a regular file at a path; None for a file, or if there is nothing.

    Nothing is opened, since opening a named pipe or a device may wait for ever.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:  # nothing there, or it cannot be read, which opening it reports
        return None
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a named pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def _refuse_irregular(path: Path, remedy: str) -> None:
    kind = describe_irregular(path)
    if kind:
        raise DamagedStoreError(f"store: {path} is {kind}, not a regular file; {remedy}")


def _check_marker(marker: Path) -> None:
    content = json.dumps(FORMAT)
    _refuse_irregular(marker, f"replace it by a file with the content {content}")
    try:
        found = json.loads(marker.read_bytes())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT["format"]:
        raise DamagedStoreError(
            f"store: {marker} is damaged; its content should be {json.dumps(FORMAT)}"
        )
    if found != FORMAT:
        raise StoreError(
            f"store: {marker} says version {found.get('version')!r:.20}, this hashbench reads "
            f"version {FORMAT['version']}; use the hashbench that wrote it, or name another with "
            f"--store"
        )


def _damaged(path: Path, what: str) -> DamagedStoreError:
    return DamagedStoreError(f"store: {path} {what}; {_remedy(path)}")


def _remedy(path: Path) -> str:
    return f"move {path.name} out of the store and run the matrix again"
