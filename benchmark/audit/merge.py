"""Copy records from other stores into a store, after checking that they do not contradict it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from pathlib import Path

from hashbench.audit.left_out import add_left_out, read_left_out
from hashbench.audit.store_files import sort_files
from hashbench.core.canonical import digest_bytes, digest_file
from hashbench.core.cell import Determinism
from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.files import write_atomically
from hashbench.core.record import EvaluationRecord, FitRecord, Record, Status
from hashbench.judge.bit_equality import reasons_for_unequal_codes
from hashbench.store.codes import NAME as CODES
from hashbench.store.store import MARKER, Store, read_sealed, record_name

_SHOWN = 10
_ROUNDING = 1e-6  # of cosines, which differ between processors; metrics of codes do not


@dataclass(slots=True)
class Contents:
    """The files of one store, after they were checked.

    Attributes:
        store: The store.
        label: Its name in messages.
        files: Checksums of its records and of the arrays that they name, by ``FIT_ID/FILE``.
        fits: Ids of its fit records.
        needs: Id of the fit that a later record was made from, by ``FIT_ID/FILE``.
        absent: Arrays that the store is known to lack, as ``FIT_ID/FILE``.
    """

    store: Store
    label: str
    files: dict[str, str] = field(default_factory=dict)
    fits: set[str] = field(default_factory=set)
    needs: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class MergePlan:
    """The files that a merge will write.

    Attributes:
        into: Folder of the store that receives them.
        new: Files that it lacks, as ``FIT_ID/FILE``, each with its source and checksum, in the
            order in which they are written.
        known: How many files it has already, equal to the byte.
        cells: Cells of all stores together.
        absent: Artifacts that no store has and no record misses.
        notes: Differences between stores that are no contradiction, a line each.
    """

    into: Path
    new: Mapping[str, tuple[Path, str]]
    known: int
    cells: int
    absent: frozenset[str]
    notes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Size of what will be written."""
        return sum(path.stat().st_size for path, _ in self.new.values())


def plan_merge(
    sources: Sequence[Path], into: Path, *, say: Callable[[str], None] = lambda _: None
) -> MergePlan:
    """Check stores and compare them with each other; nothing is written.

    Args:
        sources: Stores to take records from.
        into: The store that receives them; need not exist yet.
        say: Called with the name of each store before it is read.

    Raises:
        ConfigError: If a store is named twice, or two of them contradict each other.
        DamagedStoreError: If a file in one of them is not what was written.
        StoreError: If one cannot be read.
    """
    roots = [path.resolve() for path in (into, *sources)]
    for number, root in enumerate(roots):
        if root in roots[:number]:
            raise ConfigError(f"store {root} is named twice; name each of them once")
    read = []
    for store in [Store.find(into), *(Store.open(source) for source in sources)]:
        say(str(store.root))
        read.append(_read(store))
    _refuse_orphans(read)
    remedy = f"merge: nothing was written to {into}; leave one of the stores out"
    return reconcile(read[0], read[1:], remedy=remedy)


def reconcile(target: Contents, sources: Sequence[Contents], *, remedy: str) -> MergePlan:
    """Compare stores with each other, and list the files that the first of them lacks.

    Two stores contradict each other if a file has two contents, two runs that had to give equal
    codes gave others, or a metric of one fit has two values.

    Args:
        target: The store that receives files.
        sources: The others.
        remedy: Last line of the error.

    Raises:
        ConfigError: If two stores contradict each other; with a line for each contradiction.
        DamagedStoreError: If a record is damaged.
    """
    new, known, problems = _compare_files(target, sources)
    notes: list[str] = []
    for ours, theirs in combinations([target, *sources], 2):
        shared = set(ours.store.fit_ids()) & set(theirs.store.fit_ids())
        for fit_id in sorted(shared):
            _compare_cell(ours, theirs, fit_id, problems=problems, notes=notes)
    if problems:
        raise ConfigError(*_first(problems), remedy)
    return MergePlan(
        into=target.store.root,
        new={name: new[name] for name in sorted(new, key=_writing_order)},
        known=known,
        cells=len({fit_id for each in (target, *sources) for fit_id in each.store.fit_ids()}),
        absent=frozenset(set().union(*(each.absent for each in sources)) - new.keys()),
        notes=tuple(notes),
    )


def merge(plan: MergePlan, *, all_or_nothing: bool = False) -> None:
    """Write the files of a plan: arrays before the records that name them.

    Args:
        plan: The plan.
        all_or_nothing: Whether an interruption removes what was written. Otherwise it is kept, and
            a new plan goes on from there.

    Raises:
        DamagedStoreError: If a file changed since it was planned.
        StoreError: If the store cannot be written.
    """
    done: list[Path] = []
    try:
        if MARKER not in plan.new:
            Store.create(plan.into)
        for name, (path, sha256) in plan.new.items():
            data = path.read_bytes()
            if digest_bytes(data) != sha256:
                raise DamagedStoreError(f"store: {path} changed while it was merged; merge again")
            write_atomically(plan.into / name, data)
            done.append(plan.into / name)
        add_left_out(plan.into, plan.absent)
    except BaseException:
        if all_or_nothing:
            _remove(done, plan.into)
        raise


def _remove(files: Sequence[Path], root: Path) -> None:
    for path in reversed(files):
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in files} - {root}:
        if not any(folder.iterdir()):
            folder.rmdir()


def _writing_order(name: str) -> tuple[int, str]:
    """A sort key for files of a store: each file comes after those that it names."""
    file = name.rpartition("/")[2]
    if name == MARKER:
        return 0, name
    if file.endswith(".safetensors"):
        return 1, name
    return (2 if file.startswith("fit-") else 3), name


def _read(store: Store) -> Contents:
    """Check every record's seal and every array's checksum.

    Raises:
        DamagedStoreError: If one is not what was written; with a line for each.
    """
    contents, problems = Contents(store, str(store.root)), []
    left_out = read_left_out(store.root)
    for path in sort_files(store.root).records if store.root.is_dir() else []:
        try:
            record = read_sealed(path)
            _add_record(contents, record, path)
            for artifact in record.artifacts.values():
                name = f"{record.fit_id}/{artifact.file}"
                if name not in contents.files:
                    _add_array(contents, name, artifact.sha256, left_out=left_out)
        except DamagedStoreError as error:
            problems.append(str(error))
    if problems:
        raise DamagedStoreError("\n".join(_first(problems)))
    return contents


def _add_record(contents: Contents, record: Record, path: Path) -> None:
    name = f"{record.fit_id}/{record_name(record)}"
    contents.files[name] = digest_file(path)
    if isinstance(record, FitRecord):
        contents.fits.add(record.record_id)
    else:
        contents.needs[name] = record.fit_record


def _add_array(contents: Contents, name: str, sha256: str, *, left_out: frozenset[str]) -> None:
    path = contents.store.root / name
    if not path.is_file() and name in left_out:
        contents.absent.add(name)
    elif not path.is_file():
        raise DamagedStoreError(f"store: {path} is not there, and a record names it")
    elif digest_file(path) != sha256:
        raise DamagedStoreError(f"store: {path} is damaged: its checksum is not its record's")
    else:
        contents.files[name] = sha256


def _refuse_orphans(read: Sequence[Contents]) -> None:
    fits = set().union(*(contents.fits for contents in read))
    for contents in read:
        for name, fit in contents.needs.items():
            if fit not in fits:
                raise DamagedStoreError(
                    f"store: {contents.store.root / name} was made from fit {fit}, which is in "
                    f"none of the stores; merge the store that has it, too"
                )


def _compare_files(
    target: Contents, sources: Sequence[Contents]
) -> tuple[dict[str, tuple[Path, str]], int, list[str]]:
    """The files to write, the number of those that are there already, and contradictions."""
    new: dict[str, tuple[Path, str]] = {}
    seen: dict[str, tuple[str, str]] = {}
    known: set[str] = set()
    problems = []
    for source in sources:
        for name, sha256 in source.files.items():
            here = target.store.root / name
            if name not in seen and here.exists():
                known.add(name)
                seen[name] = target.label, target.files.get(name) or digest_file(here)
            elif name not in seen:
                new[name] = source.store.root / name, sha256
            label, content = seen.setdefault(name, (source.label, sha256))
            if content != sha256:
                problems.append(f"{name} is in {source.label} and in {label} with another content")
    return new, len(known), problems


def _compare_cell(
    ours: Contents, theirs: Contents, fit_id: str, *, problems: list[str], notes: list[str]
) -> None:
    """Compare the records that two stores have of one cell."""
    old, new = list(ours.store.records(fit_id)), list(theirs.store.records(fit_id))
    for first, again in product(_with_codes(old), _with_codes(new)):
        if first.artifacts[CODES].sha256 == again.artifacts[CODES].sha256:
            continue
        line = (
            f"fit {again.record_id} of {theirs.label} has other codes than {first.record_id} of "
            f"{ours.label}"
        )
        reasons = reasons_for_unequal_codes(first, again)
        strict = first.cell.determinism is Determinism.STRICT
        if not reasons:
            problems.append(f"{line}, made by the same code on a like machine")
        elif strict and first.environment.device.kind == again.environment.device.kind:
            notes.append(f"{line} ({reasons[0]})")
    known = {key: (value, record) for key, value, record in _values(old)}
    for key, value, record in _values(new):
        if key in known and not math.isclose(known[key][0], value, abs_tol=_ROUNDING):
            problems.append(
                f"evaluation {record} of {theirs.label} and {known[key][1]} of {ours.label} differ "
                f"in {key[1]}"
            )


def _with_codes(records: Sequence[Record]) -> list[FitRecord]:
    fits = (each for each in records if isinstance(each, FitRecord))
    return [each for each in fits if each.status is Status.OK and CODES in each.artifacts]


def _values(records: Sequence[Record]) -> Iterator[tuple[tuple[str, str], float, str]]:
    """The fit and name, value and record id of every metric."""
    for record in records:
        if isinstance(record, EvaluationRecord):
            for name, entry in record.metrics.items():
                yield (record.fit_record, name), entry.value, record.record_id


def _first(problems: Sequence[str]) -> list[str]:
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
