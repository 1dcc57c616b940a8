"""Unite stores from several places: everything is looked at before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from hashbench.audit.conflicts import excused_codes, order_of, other_codes, other_values
from hashbench.audit.left_out import add_left_out, read_left_out
from hashbench.audit.sealed_record import read_sealed
from hashbench.audit.store_files import sort_files
from hashbench.core.canonical import digest_bytes, digest_file
from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.files import write_atomically
from hashbench.core.record import FitRecord, Record
from hashbench.store.store import Store, record_name

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge would do.

    Attributes:
        into: The store that receives.
        new: Files that it lacks, as ``FIT_ID/FILE``, each with where it is and its checksum; in
            the order in which they are written.
        known: How many files it has already, the same to the byte.
        cells: Cells of all stores together.
        absent: Artifacts that the sources do without.
        notes: What may surprise, a line each.
    """

    into: Path
    new: Mapping[str, tuple[Path, str]]
    known: int
    cells: int
    absent: frozenset[str]
    notes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Size of what would be written."""
        return sum(path.stat().st_size for path, _ in self.new.values())


@dataclass(slots=True)
class _Contents:
    """What one store holds, checked.

    Attributes:
        store: The store.
        files: Checksums of its records and of the arrays that they name, by ``FIT_ID/FILE``.
        fits: Ids of its fit records.
        needs: For each record made from a fit, the id of that fit, by ``FIT_ID/FILE``.
        absent: Arrays that it does without.
    """

    store: Store
    files: dict[str, str] = field(default_factory=dict)
    fits: set[str] = field(default_factory=set)
    needs: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    @property
    def fit_ids(self) -> set[str]:
        return {name.partition("/")[0] for name in self.files}


def plan_merge(
    sources: Sequence[Path], into: Path, *, say: Callable[[str], None] = lambda _: None
) -> MergePlan:
    """Check stores and what they say of each other; nothing is written.

    Args:
        sources: Stores to take records from.
        into: The store that shall have them, perhaps not made yet.
        say: Hears which store is being read.

    Raises:
        ConfigError: If a store is named twice, or two of them contradict each other.
        DamagedStoreError: If anything in one of them is not what was written.
        StoreError: If one cannot be read.
    """
    roots = [path.resolve() for path in (into, *sources)]
    for number, root in enumerate(roots):
        if root in roots[:number]:
            raise ConfigError(f"store {root} is named twice; name each of them once")
    stores = [Store.find(into), *(Store.open(source) for source in sources)]
    read = []
    for store in stores:
        say(str(store.root))
        read.append(_read(store))
    target, *others = read
    _refuse_contradictions(read)
    _refuse_orphans(read)
    new: dict[str, tuple[Path, str]] = {}
    known: set[str] = set()
    for contents in others:
        for name, sha256 in contents.files.items():
            if name in target.files:
                known.add(name)
            else:
                new.setdefault(name, (contents.store.root / name, sha256))
    return MergePlan(
        into=into,
        new={name: new[name] for name in sorted(new, key=order_of)},
        known=len(known),
        cells=len(set().union(*(contents.fit_ids for contents in read))),
        absent=frozenset(set().union(*(contents.absent for contents in others)) - new.keys()),
        notes=tuple(_between(read, excused_codes)),
    )


def merge(plan: MergePlan) -> None:
    """Write what a plan says: arrays first, so that every record has what it names.

    A merge that was interrupted is taken up by planning it again.

    Raises:
        DamagedStoreError: If a file changed since it was planned.
        StoreError: If the store cannot be written.
    """
    Store.create(plan.into)
    for name, (path, sha256) in plan.new.items():
        data = path.read_bytes()
        if digest_bytes(data) != sha256:
            raise DamagedStoreError(f"store: {path} changed while it was merged; merge again")
        write_atomically(plan.into / name, data)
    add_left_out(plan.into, plan.absent)


def _read(store: Store) -> _Contents:
    """Check every record's seal and every array's checksum.

    Raises:
        DamagedStoreError: If one is not what was written; with a line for each.
    """
    contents, problems = _Contents(store), []
    left_out = read_left_out(store.root)
    for path in sort_files(store.root).records if store.root.is_dir() else []:
        try:
            record = read_sealed(path)
            _note(contents, record, path)
            for artifact in record.artifacts.values():
                name = f"{record.fit_id}/{artifact.file}"
                if name not in contents.files:
                    _note_array(contents, name, artifact.sha256, left_out=left_out)
        except DamagedStoreError as error:
            problems.append(str(error))
    if problems:
        raise DamagedStoreError("\n".join(_first(problems)))
    return contents


def _note(contents: _Contents, record: Record, path: Path) -> None:
    name = f"{record.fit_id}/{record_name(record)}"
    contents.files[name] = digest_file(path)
    if isinstance(record, FitRecord):
        contents.fits.add(record.record_id)
    else:
        contents.needs[name] = record.fit_record


def _note_array(contents: _Contents, name: str, sha256: str, *, left_out: frozenset[str]) -> None:
    path = contents.store.root / name
    if not path.is_file() and name in left_out:
        contents.absent.add(name)
    elif not path.is_file():
        raise DamagedStoreError(f"store: {path} is not there, and a record names it")
    elif digest_file(path) != sha256:
        raise DamagedStoreError(f"store: {path} is damaged: its checksum is not its record's")
    else:
        contents.files[name] = sha256


def _refuse_contradictions(read: Sequence[_Contents]) -> None:
    problems = []
    for there, here in _pairs(read):
        shared = there.files.keys() & here.files.keys()
        problems += [
            f"{name} is in {there.store.root} and in {here.store.root} with another content"
            for name in sorted(shared)
            if there.files[name] != here.files[name]
        ]
    problems += _between(read, other_codes)
    problems += _between(read, other_values)
    if problems:
        remedy = f"merge: nothing was written to {read[0].store.root}; leave one of the stores out"
        raise ConfigError(*_first(problems), remedy)


def _refuse_orphans(read: Sequence[_Contents]) -> None:
    fits = set().union(*(contents.fits for contents in read))
    for contents in read:
        for name, fit in contents.needs.items():
            if fit not in fits:
                raise DamagedStoreError(
                    f"store: {contents.store.root / name} was made from fit {fit}, which is in "
                    f"none of the stores; merge the store that has it, too"
                )


def _between(
    read: Sequence[_Contents], differences: Callable[[Store, Store, str], Iterator[str]]
) -> list[str]:
    """What each two stores say otherwise of the cells that both have."""
    return [
        line
        for there, here in _pairs(read)
        for fit_id in sorted(there.fit_ids & here.fit_ids)
        for line in differences(there.store, here.store, fit_id)
    ]


def _pairs(read: Sequence[_Contents]) -> Iterator[tuple[_Contents, _Contents]]:
    for here, there in combinations(read, 2):
        yield there, here


def _first(problems: Sequence[str]) -> list[str]:
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
