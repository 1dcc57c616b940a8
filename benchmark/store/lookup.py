"""Find records by a fit id, a record id, the start of one, or a path."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.record import (
    RECORD,
    EvaluationRecord,
    FitRecord,
    LatencyRecord,
    Record,
    Status,
    compute_record_id,
)
from hashbench.store.catalogue import read_cell
from hashbench.store.store import MARKER, Store, read_record

_SHOWN = 5


def find_fit(store: Store, word: str) -> FitRecord:
    """Find a successful fit by an id or the start of one.

    A fit id stands for the cell's newest successful fit, a fit's record id for that fit, and the
    record id of an evaluation or latency measurement for the fit that it belongs to.

    Raises:
        ConfigError: If no id starts with the word, several do, or the fit was not successful.
        DamagedStoreError: If a record is damaged.
    """
    found = {fit.record_id: fit for fit in _fits(store, word)}
    if not found:
        raise _nothing_found(store, word)
    refuse_several(f"record {word}", sorted(f"{f.fit_id} ({f.cell})" for f in found.values()))
    (fit,) = found.values()
    if fit.status is not Status.OK:
        why = f": {fit.error.message.splitlines()[0]}" if fit.error else ""
        raise ConfigError(
            f"record {word}: {fit.cell} has no codes, its status is {fit.status}{why}"
        )
    return fit


def _nothing_found(store: Store, word: str) -> ConfigError:
    return ConfigError(
        f"record {word!r}: no fit id and no record id in {store.root} starts with it; "
        f"hashbench status --store {store.root} lists the fits"
    )


def refuse_several(typed: str, found: Sequence[str]) -> None:
    """Refuse the start of an id that several ids have.

    Args:
        typed: The start of the id and the kind of thing it names, such as ``record 12ab``.
        found: The things whose ids start with it.

    Raises:
        ConfigError: If there are several; it lists the first.
    """
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ConfigError(
            f"{typed}: may be {', '.join(found[:_SHOWN])}{more}; write more of the id"
        )


def _fits(store: Store, word: str) -> list[FitRecord]:
    if not word.isalnum():
        return []  # ids are hexadecimal, and no patterns of the file system
    found = []
    for fit_id in store.fit_ids():
        if fit_id.startswith(word):
            newest = read_cell(store, fit_id).fit
            found += [newest] if newest else []
        elif any(store.root.glob(f"{fit_id}/[!.]*-{word}*.json")):
            found += _named(store, fit_id, word)
    return found


def _named(store: Store, fit_id: str, word: str) -> list[FitRecord]:
    """The fits of the records of one cell whose id starts with the word."""
    records = list(store.records(fit_id))
    fits = {record.record_id: record for record in records if isinstance(record, FitRecord)}
    wanted = [record for record in records if record.record_id.startswith(word)]
    owners = [r.record_id if isinstance(r, FitRecord) else r.fit_record for r in wanted]
    return [fits[owner] for owner in dict.fromkeys(owners) if owner in fits]


_ID = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A record with its fit and the measurements of that fit.

    Attributes:
        record: The record.
        fit: Its fit; the record itself if it is a fit.
        evaluations: Successful evaluations, oldest first: the record alone if it is an evaluation,
            else all of the fit.
        latencies: Latency measurements, likewise.
        store: The store of the records; None for a file outside a store.
    """

    record: Record
    fit: FitRecord
    evaluations: tuple[EvaluationRecord, ...] = ()
    latencies: tuple[LatencyRecord, ...] = ()
    store: Store | None = None


def find_record(word: str, root: Path) -> Found:
    """Find a record.

    Args:
        word: A record's file, a cell's folder in a store, or the start of a fit id or record id.
        root: The store in which ids are looked up.

    Raises:
        ConfigError: If no record or several are found.
        DamagedStoreError: If a record is damaged.
        StoreError: If ``root`` is no store and an id is to be looked up.
    """
    path = Path(word)
    if path.is_dir() and (path.parent / MARKER).is_file():
        return _of_cell(Store.open(path.parent), path.name, word)
    if path.is_file():
        return _of_file(path)
    if not re.fullmatch(r"[0-9a-f]{4,16}", word):
        raise ConfigError(
            f"record {word!r}: neither a file nor an id (4 to 16 hexadecimal digits); name a "
            f"record's file, a cell's folder, or the start of a fit id or record id with --store"
        )
    return _by_id(Store.open(root), word)


def ids_in(text: str) -> list[str]:
    """The ids in the text of a report, each once, in order."""
    return list(dict.fromkeys(_ID.findall(text)))


def _by_id(store: Store, word: str) -> Found:
    cells = [fit_id for fit_id in store.fit_ids() if fit_id.startswith(word)]
    files = [
        path
        for path in sorted(store.root.glob(f"*/*-{word}*.json"))
        if path.stem.rpartition("-")[2].startswith(word) and not path.name.startswith(".")
    ]
    found = [f"fit id {each}" for each in cells] + [f"{p.parent.name}/{p.name}" for p in files]
    if not found:
        raise _nothing_found(store, word)
    refuse_several(f"record {word}", found)
    return _of_file(files[0]) if files else _of_cell(store, cells[0], word)


def _of_cell(store: Store, fit_id: str, word: str) -> Found:
    """A cell's newest fit and its measurements."""
    results = read_cell(store, fit_id)
    if results.fit is None:
        raise ConfigError(f"record {word}: the cell {fit_id} of {store.root} has no fit record")
    return Found(results.fit, results.fit, results.evaluations, results.latencies, store)


def _of_file(path: Path) -> Found:
    if len(path.parts) == 1 or ".." in path.parts:  # else messages show it as the user wrote it
        path = Path(os.path.realpath(path))
    if not (path.parent.parent / MARKER).is_file():
        return _alone(path)
    store, record = Store.open(path.parent.parent), read_record(path)
    others = list(store.records(record.fit_id))
    owner = record.record_id if isinstance(record, FitRecord) else record.fit_record
    fits = [r for r in others if isinstance(r, FitRecord) and r.record_id == owner]
    if not fits:
        raise DamagedStoreError(f"store: {path} belongs to fit {owner}, which is missing")
    of_fit = [r for r in others if not isinstance(r, FitRecord) and r.fit_record == owner]
    own = isinstance(record, EvaluationRecord | LatencyRecord)
    measured = [record] if own else of_fit
    good = [each for each in measured if each.status is Status.OK]
    return Found(
        record,
        fits[0],
        tuple(r for r in good if isinstance(r, EvaluationRecord)),
        tuple(r for r in good if isinstance(r, LatencyRecord)),
        store,
    )


def _alone(path: Path) -> Found:
    """A fit's record outside a store."""
    try:
        document = json.loads(path.read_bytes())
        record = RECORD.validate_python(document)
        found = compute_record_id(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "kind"
        raise ConfigError(
            f"record {path}: no record this version can read ({where}: {first['msg']})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"record {path}: is not JSON ({error})") from None
    if found != record.record_id:
        raise DamagedStoreError(
            f"record {path}: was changed after it was written; ask for it again"
        )
    if not isinstance(record, FitRecord):
        raise ConfigError(
            f"record {path}: its kind is {record.kind} and it is outside a store, so its fit "
            f"cannot be found; name the fit's record, or the file in its store"
        )
    return Found(record, record)
