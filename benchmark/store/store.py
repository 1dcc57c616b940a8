"""The store: ``<root>/<fit_id>/<kind>-<record_id>.json`` and the arrays beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hashbench.core.canonical import digest_bytes
from hashbench.core.errors import DamagedStoreError, StoreError
from hashbench.core.files import write_atomically
from hashbench.core.record import (
    RECORD,
    AnyRecord,
    Artifact,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    compute_record_id,
    seal,
)

MARKER = "store.json"
FORMAT = {"format": "hashbench-store", "version": 1}
_NAME_DIGITS = 16


class Store:
    """A folder of sealed records.

    Args:
        root: The folder; use `open` or `create` to have it checked.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path) -> Store:
        """Open an existing store.

        Raises:
            StoreError: If there is none, or it cannot be read by this version.
        """
        marker = root / MARKER
        try:
            found = json.loads(marker.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"store: {root} is not a store (it has no {MARKER})") from None
        except NotADirectoryError:
            raise StoreError(f"store: {root} is a file, not a folder") from None
        except (OSError, ValueError) as error:
            raise StoreError(f"store: cannot read {marker}: {error}") from None
        if found != FORMAT:
            raise StoreError(
                f"store: {marker} says {found}, this version reads {FORMAT}; "
                f"use the version that wrote it"
            )
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> Store:
        """Open a store, making it first if the folder is missing or empty.

        Raises:
            StoreError: If the place is taken by something else or cannot be written to.
        """
        if root.is_dir() and not (root / MARKER).exists() and any(root.iterdir()):
            raise StoreError(
                f"store: {root} is neither empty nor a store (it has no {MARKER}); "
                f"name another folder with --store"
            )
        if not root.exists() or (root.is_dir() and not (root / MARKER).exists()):
            write_atomically(root / MARKER, json.dumps(FORMAT).encode())
        return cls.open(root)

    def work_folder(self, fit_id: str) -> Path:
        """Where a cell's checkpoints and log lie while it runs; not part of the records."""
        return self.root / ".work" / fit_id

    def fit_ids(self) -> list[str]:
        """The ids of all cells with at least one file, sorted."""
        return sorted(p.name for p in self.root.iterdir() if p.is_dir() and p.name[0] != ".")

    def write_record(self, record: AnyRecord) -> AnyRecord:
        """Seal a record and write it.

        Returns:
            The record with its id.

        Raises:
            StoreError: If it cannot be written.
        """
        sealed = seal(record)
        text = json.dumps(sealed.model_dump(mode="json"), indent=1, sort_keys=True)
        name = f"{sealed.kind}-{sealed.record_id}.json"
        write_atomically(self.root / sealed.fit_id / name, text.encode() + b"\n")
        return sealed

    def records(self, fit_id: str) -> Iterator[FitRecord | EvaluationRecord | LatencyRecord]:
        """The records of a cell, oldest first.

        Raises:
            DamagedStoreError: If a record is not what was written.
        """
        folder = self.root / fit_id
        found = [read_record(path) for path in folder.glob("*-*.json")]
        yield from sorted(found, key=lambda record: (record.finished, record.record_id))

    def write_arrays(
        self, fit_id: str, name: str, arrays: Mapping[str, Any], *, metadata: Mapping[str, str]
    ) -> Artifact:
        """Write numpy arrays as safetensors, named by their checksum.

        Args:
            fit_id: The cell.
            name: What they are, e.g. ``codes``.
            arrays: Arrays by name.
            metadata: Plain text kept in the file.

        Raises:
            StoreError: If the file cannot be written.
        """
        from safetensors.numpy import save

        data = save(dict(arrays), metadata=dict(metadata))
        sha256 = digest_bytes(data)
        file = f"{name}-{sha256[:_NAME_DIGITS]}.safetensors"
        write_atomically(self.root / fit_id / file, data)
        return Artifact(file=file, sha256=sha256, bytes=len(data))

    def read_arrays(self, fit_id: str, artifact: Artifact) -> dict[str, Any]:
        """Read arrays back and check them.

        Raises:
            DamagedStoreError: If the file is missing or its checksum differs.
        """
        from safetensors.numpy import load

        path = self.root / fit_id / artifact.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DamagedStoreError(f"store: cannot read {path}: {error.strerror}") from None
        if digest_bytes(data) != artifact.sha256:
            raise DamagedStoreError(
                f"store: {path} has SHA-256 {digest_bytes(data)[:12]}…, its record says "
                f"{artifact.sha256[:12]}…"
            )
        return dict(load(data))


def read_record(path: Path) -> FitRecord | EvaluationRecord | LatencyRecord:
    """Read one record and check its seal.

    Raises:
        DamagedStoreError: If it is unreadable, incomplete, or its digest is not its id.
    """
    remedy = "move the file away and run the matrix again"
    try:
        document = json.loads(path.read_bytes())
        record = RECORD.validate_python(document)
    except OSError as error:
        raise DamagedStoreError(f"store: cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedStoreError(f"store: {path}: {where}: {first['msg']}; {remedy}") from None
    except ValueError as error:
        raise DamagedStoreError(f"store: {path}: not JSON ({error}); {remedy}") from None
    if compute_record_id(document) != record.record_id:
        raise DamagedStoreError(
            f"store: {path} was changed after it was written (its digest is not its id "
            f"{record.record_id}); {remedy}"
        )
    return record
