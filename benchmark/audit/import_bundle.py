"""Take a bundle's records into a store, all of them or none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hashbench.audit.bundle import MAX_BYTES, Bundle, opened_bundle, verify_bundle
from hashbench.audit.conflicts import order_of, other_codes, other_values
from hashbench.audit.left_out import add_left_out
from hashbench.audit.manifest import STORED
from hashbench.core.canonical import digest_file
from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.files import write_atomically
from hashbench.store.store import Store

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import.

    Attributes:
        added: Files that are new in the store.
        known: Files that were there already, the same to the byte.
        notes: What could not be checked.
    """

    added: int
    known: int
    notes: tuple[str, ...]


def import_bundle(path: Path, root: Path, *, max_bytes: int = MAX_BYTES) -> Imported:
    """Check a bundle, compare it with a store, and only then add its records.

    Args:
        path: The bundle.
        root: The store's folder; made if there is none.
        max_bytes: Most that the bundle's files may take.

    Raises:
        DamagedStoreError: If anything in the bundle is not what was measured.
        ConfigError: If the store says otherwise than the bundle.
        StoreError: If the bundle cannot be read or the store not be written.
    """
    store = Store.find(root)
    with opened_bundle(path, max_bytes=max_bytes) as bundle:
        notes = _verify(bundle, path)
        names = [name for name in bundle.manifest.files if STORED.fullmatch(name)]
        new = [name for name in names if not (root / name).exists()]
        problems = list(_contradictions(bundle, store, names))
        if problems:
            more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
            lines = [f"{path}: {line}" for line in (*problems[:_SHOWN], *more)]
            raise ConfigError(*lines, f"import: {root} is as it was; name another with --store")
        _add(bundle, root, new)
    return Imported(len(new), len(names) - len(new), notes)


def _verify(bundle: Bundle, path: Path) -> tuple[str, ...]:
    audit = verify_bundle(bundle)
    if audit.problems:
        first = audit.problems[0]
        raise DamagedStoreError(
            f"bundle {path}: {first.file}: {first.what} ({len(audit.problems)} in all; hashbench "
            f"verify {path} lists them)"
        )
    return tuple(f"{note.file}: {note.what}" for note in audit.notes)


def _contradictions(bundle: Bundle, store: Store, names: list[str]) -> Iterator[str]:
    for name in names:
        here = store.root / name
        if here.exists() and digest_file(here) != bundle.manifest.files[name].sha256:
            yield f"{name} is in {store.root} with another content"
    there = Store(bundle.root)
    shared = set(there.fit_ids()) & set(store.fit_ids())
    for fit_id in sorted(shared):
        yield from other_codes(there, store, fit_id)
        yield from other_values(there, store, fit_id)


def _add(bundle: Bundle, root: Path, new: list[str]) -> None:
    """Arrays first, then fits, then the rest: whatever stops it, every record has what it names."""
    done: list[Path] = []
    try:
        for name in sorted(new, key=order_of):
            write_atomically(root / name, (bundle.root / name).read_bytes())
            done.append(root / name)
        add_left_out(root, bundle.manifest.absent)
    except BaseException:
        for path in reversed(done):
            path.unlink(missing_ok=True)
        _remove_empty({path.parent for path in done} - {root})
        raise


def _remove_empty(folders: set[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not os.listdir(folder):  # noqa: PTH208 - emptiness is all we ask
            folder.rmdir()
