"""Open and check a bundle: only files that its manifest names are unpacked."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hashbench.audit.findings import Audit
from hashbench.audit.manifest import FILE, NAME, STORED, FileSeal, Manifest
from hashbench.audit.verify import verify_store
from hashbench.core.canonical import digest_file
from hashbench.core.errors import DamagedStoreError, StoreError
from hashbench.store.store import MARKER

MAX_BYTES = 16 * 2**30
_MAX_MANIFEST = 64 * 2**20
_AGAIN = "ask for the bundle again"


@dataclass(frozen=True, slots=True)
class Bundle:
    """An unpacked bundle.

    Attributes:
        root: A temporary folder with its files: a store, and documents about it.
        manifest: Its manifest; every file agrees with it.
    """

    root: Path
    manifest: Manifest


@contextmanager
def opened_bundle(path: Path, *, max_bytes: int = MAX_BYTES) -> Iterator[Bundle]:
    """Check a bundle and unpack it into a temporary folder.

    Raises:
        DamagedStoreError: If it is no zip file, holds a path, a link or a file that its manifest
            does not name, or a file differs from its checksum.
        StoreError: If it cannot be read, its files take more than ``max_bytes``, or there is no
            room for them.
    """
    if not path.exists():
        raise StoreError(f"bundle {path}: no such file")
    with TemporaryDirectory(prefix="hashbench-bundle-") as folder:
        yield Bundle(Path(folder), _unpack_all(path, Path(folder), max_bytes))


def _unpack_all(path: Path, into: Path, max_bytes: int) -> Manifest:
    try:
        with zipfile.ZipFile(path) as file:
            manifest = _check_names(file, path, max_bytes)
            for name, seal in manifest.files.items():
                _unpack(file, name, seal, into=into, source=path)
            return manifest
    except OSError as error:
        raise StoreError(
            f"bundle {path}: cannot be read or unpacked: {error.strerror or error}; check that "
            f"it is readable and the disk has room (TMPDIR names another temporary folder)"
        ) from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, struct.error) as error:
        raise DamagedStoreError(
            f"bundle {path}: is no complete zip file ({error}); {_AGAIN}"
        ) from None


def verify_bundle(
    bundle: Bundle,
    *,
    deep: bool = False,
    data_root: Path | None = None,
    absent: Collection[str] = (),
) -> Audit:
    """Audit the store in a bundle; see `verify_store`."""
    left_out = {*absent, *bundle.manifest.absent}
    audit = verify_store(bundle.root, deep=deep, data_root=data_root, absent=left_out)
    documents = {name for name in bundle.manifest.files if not STORED.fullmatch(name)} | {NAME}
    audit.notes = [note for note in audit.notes if note.file not in documents]
    return audit


def _check_names(file: zipfile.ZipFile, path: Path, max_bytes: int) -> Manifest:
    """Check names, forms and sizes of all files, before any of them is unpacked."""
    entries = file.infolist()
    names = [entry.filename for entry in entries]
    for entry in entries:
        form = stat.S_IFMT(entry.external_attr >> 16)
        plain = FILE.fullmatch(entry.filename) or entry.filename == NAME
        if not plain or form not in (0, stat.S_IFREG):
            raise DamagedStoreError(
                f"bundle {path}: {entry.filename!r} is not allowed in a bundle; do not trust it"
            )
        if entry.flag_bits & 1 or entry.compress_type != zipfile.ZIP_STORED:
            raise DamagedStoreError(
                f"bundle {path}: {entry.filename} is compressed or encrypted, which export never "
                f"does; {_AGAIN}"
            )
    if len(set(names)) != len(names):
        raise DamagedStoreError(
            f"bundle {path}: holds two files with the same name; do not trust it"
        )
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise StoreError(
            f"bundle {path}: its files take {total:,} bytes, more than {max_bytes:,}; raise the "
            f"limit with --max-gib if you trust it"
        )
    return _read_manifest(file, path, names)


def _read_manifest(file: zipfile.ZipFile, path: Path, names: list[str]) -> Manifest:
    if NAME not in names or file.getinfo(NAME).file_size > _MAX_MANIFEST:
        raise DamagedStoreError(
            f"bundle {path}: has no {NAME}; name a file that hashbench export made"
        )
    manifest = Manifest.read(file.read(NAME), source=str(path))
    differing = sorted({*names} ^ {*manifest.files, NAME})
    if differing or MARKER not in names:
        what = f"{differing[0]} is in the zip file or its manifest, but not in both"
        raise DamagedStoreError(
            f"bundle {path}: {what if differing else f'holds no {MARKER}'}; {_AGAIN}"
        )
    return manifest


def _unpack(file: zipfile.ZipFile, name: str, seal: FileSeal, *, into: Path, source: Path) -> None:
    target = into / name
    target.parent.mkdir(exist_ok=True)
    with file.open(name) as packed, target.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    if target.stat().st_size != seal.bytes or digest_file(target) != seal.sha256:
        raise DamagedStoreError(
            f"bundle {source}: {name} differs from its checksum in {NAME}; {_AGAIN}"
        )
