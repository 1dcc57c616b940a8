"""Add a bundle's records to a store, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hashbench.audit.bundle import MAX_BYTES, Bundle, opened_bundle, verify_bundle
from hashbench.audit.manifest import STORED
from hashbench.audit.merge import Contents, merge, reconcile
from hashbench.core.errors import DamagedStoreError
from hashbench.store.store import Store


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    Attributes:
        added: Number of files that are new in the store.
        known: Number of files that were there already, equal to the byte.
        notes: What could not be checked, and codes that differ for a reason.
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
        DamagedStoreError: If a file in the bundle is not what was written.
        ConfigError: If the bundle contradicts the store; see `reconcile`.
        StoreError: If the bundle cannot be read or the store not be written.
    """
    store = Store.find(root)
    with opened_bundle(path, max_bytes=max_bytes) as bundle:
        notes = _verify(bundle, path)
        files = bundle.manifest.files
        source = Contents(
            Store(bundle.root),
            str(path),
            files={name: files[name].sha256 for name in files if STORED.fullmatch(name)},
            absent=set(bundle.manifest.absent),
        )
        remedy = f"import: {root} was not changed; name another store with --store"
        plan = reconcile(Contents(store, str(root)), [source], remedy=remedy)
        merge(plan, all_or_nothing=True)
    return Imported(len(plan.new), plan.known, (*notes, *plan.notes))


def _verify(bundle: Bundle, path: Path) -> tuple[str, ...]:
    audit = verify_bundle(bundle)
    if audit.problems:
        first = audit.problems[0]
        raise DamagedStoreError(
            f"bundle {path}: {first.file}: {first.what} ({len(audit.problems)} in all; hashbench "
            f"verify {path} lists them)"
        )
    return tuple(f"{note.file}: {note.what}" for note in audit.notes)
