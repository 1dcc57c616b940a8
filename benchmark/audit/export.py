"""Write records and their arrays into one bundle, with the checksums of all of them."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hashbench.audit.bundle_docs import make_documents
from hashbench.audit.left_out import read_left_out
from hashbench.audit.manifest import NAME, FileSeal, Manifest, seal_file
from hashbench.core.canonical import digest_file
from hashbench.core.cell import Cell
from hashbench.core.errors import (
    ConfigError,
    DamagedStoreError,
    NothingSelectedError,
    StoreError,
    did_you_mean,
)
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.core.record import Artifact, FitRecord, Record
from hashbench.core.registry import Registry
from hashbench.store.store import FORMAT, MARKER, Store, document_bytes, record_name

# The earliest time that a zip file can state. Files are not compressed, since the result differs
# between versions of zlib, and equal records shall give equal bundles everywhere.
_TIME = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Exported:
    """Numbers of cells, records and left-out artifacts of a bundle, and its size."""

    cells: int
    records: int
    absent: int
    bytes: int


def export_bundle(
    store: Store,
    output: Path,
    registry: Registry,
    *,
    wanted: Callable[[Cell], bool] = lambda _: True,
    without: Collection[str] = (),
) -> Exported:
    """Write a bundle; equal records give equal bytes.

    Args:
        store: The store to export.
        output: The bundle's file.
        registry: Gives the papers of components.
        wanted: Selects cells.
        without: Artifacts to leave out, by name (``model``) or file (``FIT_ID/FILE``). Those that
            the store's ``left-out.txt`` names are left out where they are missing.

    Raises:
        NothingSelectedError: If no cell is selected.
        ConfigError: If ``without`` names an artifact that no record has.
        DamagedStoreError: If a record or an artifact is not what was written.
        StoreError: If the bundle cannot be written.
    """
    records = _records(store, wanted)
    gone = {name for name in read_left_out(store.root) if not (store.root / name).exists()}
    files: dict[str, bytes | Path] = {MARKER: json.dumps(FORMAT).encode()}
    seals: dict[str, FileSeal] = {}
    absent: dict[str, str] = {}
    _check_left_out(without, records, store)
    for record in records:
        name = f"{record.fit_id}/{record_name(record)}"
        files[name] = document_bytes(json.loads((store.root / name).read_bytes()))
        for what, artifact in record.artifacts.items():
            place = f"{record.fit_id}/{artifact.file}"
            if what in without or place in gone.union(without):
                absent[place] = artifact.sha256
            else:
                files[place] = store.root / place
                seals[place] = _seal_artifact(store.root / place, artifact, what)
    files |= make_documents(records, registry, absent=len(absent))
    seals |= {name: seal_file(data) for name, data in files.items() if isinstance(data, bytes)}
    manifest = Manifest(files=dict(sorted(seals.items())), absent=dict(sorted(absent.items())))
    size = _write(output, files | {NAME: manifest.data()})
    cells = len({record.fit_id for record in records})
    return Exported(cells, len(records), len(absent), size)


def _check_left_out(without: Iterable[str], records: Sequence[Record], store: Store) -> None:
    """Refuse names of artifacts that no record has: they may be misspelt."""
    kinds = {what for record in records for what in record.artifacts}
    places = {f"{r.fit_id}/{artifact.file}" for r in records for artifact in r.artifacts.values()}
    for name in sorted(set(without) - kinds - places):
        raise ConfigError(
            f"--without {name}: no record exported from {store.root} has it. "
            f"{did_you_mean(name, sorted(kinds))}"
        )


def _records(store: Store, wanted: Callable[[Cell], bool]) -> Sequence[Record]:
    found: list[Record] = []
    for fit_id in store.fit_ids():
        records = sorted(store.records(fit_id), key=record_name)
        cells = [record.cell for record in records if isinstance(record, FitRecord)]
        if cells and wanted(cells[0]):
            found += records
    if not found:
        raise NothingSelectedError(
            f"export: no record of {store.root} is selected; hashbench status --store "
            f"{store.root} lists its cells"
        )
    return found


def _seal_artifact(path: Path, artifact: Artifact, name: str) -> FileSeal:
    try:
        found = digest_file(path)
    except OSError as error:
        raise DamagedStoreError(
            f"export: cannot read {path}: {error.strerror}; put it back, or leave it out: "
            f"--without {path.parent.name}/{path.name} (all of its kind: --without {name})"
        ) from None
    if found != artifact.sha256:
        raise DamagedStoreError(
            f"export: {path} differs from its record's checksum; hashbench verify lists all damage"
        )
    return FileSeal(sha256=found, bytes=path.stat().st_size)


def _write(output: Path, files: Mapping[str, bytes | Path]) -> int:
    """Write the zip file under a temporary name, rename it, and return its size."""
    temporary = output.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{output.name}"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
                for name in sorted(files):
                    _add(bundle, name, files[name])
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
        return output.stat().st_size
    except OSError as error:
        raise StoreError(
            f"export: cannot write {output}: {error.strerror or error}; make room or name another "
            f"place with --output"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _add(bundle: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
    if isinstance(content, bytes):
        bundle.writestr(entry, content)
        return
    entry.file_size = content.stat().st_size  # known beforehand, it decides the form of the header
    with content.open("rb") as source, bundle.open(entry, "w") as target:
        shutil.copyfileobj(source, target)
