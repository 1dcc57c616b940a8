"""A record and what belongs to it, by whatever a user names it with."""

from __future__ import annotations

import json
import re
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
from hashbench.store.lookup import refuse_several
from hashbench.store.store import MARKER, Store, read_record

_ID = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A record, with the fit it is of and what was measured of that.

    Attributes:
        record: The record itself.
        fit: Its fit; the record, where that is one.
        evaluations: Evaluations that went well, oldest first: the record alone where it is one,
            else all of the fit.
        latencies: Latency measurements, likewise.
        store: The store they are in; None for a file that lies by itself.
    """

    record: Record
    fit: FitRecord
    evaluations: tuple[EvaluationRecord, ...] = ()
    latencies: tuple[LatencyRecord, ...] = ()
    store: Store | None = None


def find_record(word: str, root: Path) -> Found:
    """Look a record up.

    Args:
        word: A record's file, a cell's folder in a store, or the start of a fit id or record id.
        root: The store in which ids are looked up.

    Raises:
        ConfigError: If nothing or more than one thing is meant.
        DamagedStoreError: If a record is damaged.
        StoreError: If there is no store to look an id up in.
    """
    path = Path(word)
    if path.is_dir() and (path.parent / MARKER).is_file():
        return _of_cell(Store.open(path.parent), path.name, word)
    if path.is_file():
        return _of_file(path)
    if not re.fullmatch(r"[0-9a-f]{4,16}", word):
        raise ConfigError(
            f"record {word!r}: no such file, and no id (4 to 16 hexadecimal digits); name a "
            f"record's file, a cell's folder, or the start of a fit id or record id with --store"
        )
    return _by_id(Store.open(root), word)


def ids_in(text: str) -> list[str]:
    """The ids that a report names, each once, in its order."""
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
        raise ConfigError(
            f"record {word!r}: no fit id and no record id in {store.root} starts so; hashbench "
            f"status --store {store.root} lists the fits"
        )
    refuse_several(f"record {word}", found)
    return _of_file(files[0]) if files else _of_cell(store, cells[0], word)


def _of_cell(store: Store, fit_id: str, word: str) -> Found:
    """A cell's newest fit, and all that was measured of it."""
    results = read_cell(store, fit_id)
    if results.fit is None:
        raise ConfigError(f"record {word}: the cell {fit_id} of {store.root} has no fit record")
    return Found(results.fit, results.fit, results.evaluations, results.latencies, store)


def _of_file(path: Path) -> Found:
    if len(path.parts) == 1 or ".." in path.parts:  # else it is told as the user wrote it
        path = path.resolve()
    if not (path.parent.parent / MARKER).is_file():
        return _alone(path)
    store, record = Store.open(path.parent.parent), read_record(path)
    others = list(store.records(record.fit_id))
    owner = record.record_id if isinstance(record, FitRecord) else record.fit_record
    fits = [r for r in others if isinstance(r, FitRecord) and r.record_id == owner]
    if not fits:
        raise DamagedStoreError(f"store: {path} is of fit {owner}, which is not there")
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
    """A fit's record without its store, as when it was sent by mail."""
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
            f"record {path}: is of kind {record.kind} and lies outside a store, so its fit is not "
            f"to be found; name the fit's record, or the file in its store"
        )
    return Found(record, record)
