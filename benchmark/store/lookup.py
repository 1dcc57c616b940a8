"""A record by what a user types: a fit id, a record id, or the start of one."""

from __future__ import annotations

from collections.abc import Sequence

from hashbench.core.errors import ConfigError
from hashbench.core.record import FitRecord, Status
from hashbench.store.catalogue import read_cell
from hashbench.store.store import Store

_SHOWN = 5


def find_fit(store: Store, word: str) -> FitRecord:
    """The successful fit that a word stands for.

    A fit id stands for the cell's newest successful fit, a fit's record id for that very one, and
    the record id of an evaluation or a latency for the fit it was made of.

    Args:
        store: Where to look.
        word: An id or the start of one.

    Raises:
        ConfigError: If nothing starts so, several things do, or what does is no successful fit.
        DamagedStoreError: If a record is damaged.
    """
    found = {fit.record_id: fit for fit in _fits(store, word)}
    if not found:
        raise ConfigError(
            f"record {word!r}: no fit id and no record id in {store.root} starts so; hashbench "
            f"status --store {store.root} lists the fits"
        )
    refuse_several(f"record {word}", sorted(f"{f.fit_id} ({f.cell})" for f in found.values()))
    (fit,) = found.values()
    if fit.status is not Status.OK:
        why = f": {fit.error.message.splitlines()[0]}" if fit.error else ""
        raise ConfigError(f"record {word}: {fit.cell} has no codes, it ended {fit.status}{why}")
    return fit


def refuse_several(typed: str, found: Sequence[str]) -> None:
    """Say what the start of an id may stand for.

    Args:
        typed: What it was and what it shall name, such as ``record 12ab``.
        found: What starts so.

    Raises:
        ConfigError: If that is more than one thing.
    """
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ConfigError(
            f"{typed}: may be {', '.join(found[:_SHOWN])}{more}; write more of the id"
        )


def _fits(store: Store, word: str) -> list[FitRecord]:
    if not word.isalnum():
        return []  # ids are hexadecimal; and no pattern for the file system
    found = []
    for fit_id in store.fit_ids():
        if fit_id.startswith(word):
            newest = read_cell(store, fit_id).fit
            found += [newest] if newest else []
        elif any(store.root.glob(f"{fit_id}/[!.]*-{word}*.json")):
            found += _named(store, fit_id, word)
    return found


def _named(store: Store, fit_id: str, word: str) -> list[FitRecord]:
    """The fits that records of one cell belong to, of those whose id starts with the word."""
    records = list(store.records(fit_id))
    fits = {record.record_id: record for record in records if isinstance(record, FitRecord)}
    wanted = [record for record in records if record.record_id.startswith(word)]
    owners = [r.record_id if isinstance(r, FitRecord) else r.fit_record for r in wanted]
    return [fits[owner] for owner in dict.fromkeys(owners) if owner in fits]
