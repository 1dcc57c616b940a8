"""The fits of a store as rows of a table, each read again only when its folder has changed."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from hashbench.core.errors import HashbenchError
from hashbench.evaluation.names import parse_metric
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

COLUMNS: Final = (
    "fit",
    "status",
    "dataset",
    "method",
    "bits",
    "seed",
    "result",
    "training",
    "made",
)
_UNSETTLED_NS: Final = 2 * 10**9  # a folder that changed just now may change within the same tick


@dataclass(frozen=True, slots=True)
class RunRow:
    """A fit.

    Attributes:
        fit_id: Its id.
        status: ``ok``, how it failed, or ``damaged``.
        dataset, method, bits: What it is.
        seed: Its seed; None where its record cannot be read.
        metrics: Its results by name.
        seconds: Of training; None where it is not known.
        finished: When, UTC, ISO 8601.
        message: Why it failed; empty if it has not.
    """

    fit_id: str
    status: str
    dataset: str = ""
    method: str = ""
    bits: str = ""
    seed: int | None = None
    metrics: tuple[tuple[str, float], ...] = ()
    seconds: float | None = None
    finished: str = ""
    message: str = ""

    @property
    def label(self) -> str:
        """What it is, for a menu."""
        if not self.dataset:
            return f"{self.fit_id[:8]} · {self.status}"
        words = (
            self.fit_id[:8],
            self.dataset,
            self.method,
            f"{self.bits} bits",
            f"seed {self.seed}",
        )
        return " · ".join((*words, *(() if self.status == "ok" else (self.status,))))

    def plain(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**asdict(self), "metrics": dict(self.metrics)}

    def cells(self) -> list[str | int | None]:
        """One line of the table, in the order of `COLUMNS`."""
        shown = [f"{name.partition('/')[0]} {value:.4f}" for name, value in self.metrics]
        return [
            self.fit_id[:8],
            f"{self.status}: {self.message}" if self.message else self.status,
            *(self.dataset, self.method, self.bits, self.seed),
            ", ".join(shown),
            "" if self.seconds is None else f"{self.seconds:.1f} s",
            self.finished[:16].replace("T", " "),
        ]


class RunRows:
    """Reads the fits of a store; what it remembers, the store has.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[int, RunRow]] = {}
        self._lock = threading.Lock()

    def read(self) -> list[RunRow]:
        """Every fit as it is now, the newest first."""
        with self._lock:
            rows = [self._row(fit_id) for fit_id in self._store.fit_ids()]
            there = {row.fit_id for row in rows}
            self._known = {name: known for name, known in self._known.items() if name in there}
        return sorted(rows, key=lambda row: row.finished, reverse=True)

    def _row(self, fit_id: str) -> RunRow:
        try:
            changed = (self._store.root / fit_id).stat().st_mtime_ns
        except OSError:
            changed = 0
        known = self._known.get(fit_id)
        if known and known[0] == changed:
            return known[1]
        row = _read(self._store, fit_id)
        if time.time_ns() - changed > _UNSETTLED_NS:
            self._known[fit_id] = (changed, row)
        return row


def _read(store: Store, fit_id: str) -> RunRow:
    try:
        results = read_cell(store, fit_id)
    except HashbenchError as error:
        return RunRow(fit_id, "damaged", message=str(error))
    fit = results.fit
    if fit is None:
        return RunRow(fit_id, "no fit record")
    broken = [record for record in (fit, *results.failures) if record.error is not None]
    cell = fit.cell
    return RunRow(
        fit_id,
        status=str(broken[-1].status) if broken else str(fit.status),
        dataset=cell.data.label,
        method=cell.method_label,
        bits=cell.bits_label,
        seed=cell.seed,
        metrics=_metrics(results),
        seconds=sum(fit.phases.values()) if fit.phases else None,
        finished=fit.finished,
        message=broken[-1].error.message.partition("\n")[0] if broken and broken[-1].error else "",
    )


def _metrics(results: CellResults) -> tuple[tuple[str, float], ...]:
    found = results.metrics()
    names = sorted(found, key=lambda name: parse_metric(name).reading_order)
    return tuple((name, found[name][0].value) for name in names)
