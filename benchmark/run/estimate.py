"""Estimate the time and disk space of cells from the records of similar cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from statistics import median

from hashbench.core.cell import Cell
from hashbench.core.errors import DamagedStoreError
from hashbench.core.job import Job
from hashbench.core.record import EvaluationRecord, FitRecord, LatencyRecord
from hashbench.store.catalogue import CellResults, read_cell
from hashbench.store.store import Store

Likeness = Callable[[Cell], tuple[object, ...]]

# From the most similar on: the description of similar cells, and the key that they share.
_LIKE: tuple[tuple[str, Likeness], ...] = (
    ("other seeds", lambda c: (c.data, c.backbone, c.loss, c.method, c.train, c.bits)),
    ("other code lengths", lambda c: (c.data, c.backbone, c.loss, c.method, c.train)),
    ("other epochs or settings", lambda c: (_data(c), _names(c), c.frozen)),
    ("other losses on the backbone", lambda c: (_data(c), _names(c)[0], c.train is None)),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated cost of a job.

    Attributes:
        seconds: Wall seconds; None without a record of a similar cell.
        stored_bytes: Bytes added to the store; None likewise.
        source: The records it is based on, as text.
        peak_memory_bytes: Peak memory of the fit, on the device or, on a CPU, of the process.
    """

    seconds: float | None
    stored_bytes: float | None
    source: str
    peak_memory_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds of one stored cell by part; ``features`` are those that similar cells save."""

    cell: Cell
    fit: float
    features: float
    measuring: float
    latency: float
    stored_bytes: int
    peak_memory_bytes: int

    @property
    def epochs(self) -> int:
        return self.cell.train.epochs if self.cell.train else 1


class Estimator:
    """Estimates from the records of a store.

    Args:
        store: The store; cells with damaged records are passed over.
        device: Only fits made on this kind of device count, ``cpu`` or ``cuda``.
    """

    def __init__(self, store: Store, *, device: str) -> None:
        self._costs = [cost for results in _readable(store) if (cost := _cost(results, device))]
        self._device = device

    def __call__(self, job: Job) -> Estimate:
        """Return the estimated cost of a job."""
        for described, likeness in _LIKE:
            wanted = likeness(job.cell)
            like = [cost for cost in self._costs if likeness(cost.cell) == wanted]
            if like:
                number = f"{len(like)} record{'' if len(like) == 1 else 's'}"
                source = f"from {number} of like cells ({described}, {self._device})"
                size = median(cost.stored_bytes for cost in like) if job.fit else 0.0
                seconds = median(_seconds(job, cost) for cost in like)
                memory = [cost.peak_memory_bytes for cost in like if cost.peak_memory_bytes]
                return Estimate(seconds, size, source, max(memory, default=None))
        return Estimate(None, None, "unknown, no record of a like cell in the store")


def total(values: Sequence[float | None]) -> tuple[float, int]:
    """Return the sum of the known values, and the number of unknown ones."""
    known = [value for value in values if value is not None]
    return sum(known), len(values) - len(known)


def _seconds(job: Job, cost: _Cost) -> float:
    epochs = job.cell.train.epochs if job.cell.train else 1
    kept = _passed(job.cell) == _passed(cost.cell)
    fit = cost.fit * epochs / cost.epochs + (0.0 if kept else cost.features)
    parts = [
        fit if job.fit else 0.0,
        cost.measuring if job.metrics else 0.0,
        cost.latency if job.latency else 0.0,
    ]
    return sum(parts)


def _readable(store: Store) -> Iterable[CellResults]:
    for fit_id in store.fit_ids():
        try:
            yield read_cell(store, fit_id)
        except DamagedStoreError:  # a cell of this matrix that is damaged stops the run elsewhere
            continue


def _cost(results: CellResults, device: str) -> _Cost | None:
    fit = results.fit
    if fit is None or not results.fitted or fit.environment.device.kind != device:
        return None
    records = [fit, *results.evaluations, *results.latencies]
    spared = sum(fit.spared.values())
    features = spared or _features(fit)
    artifacts = chain.from_iterable(record.artifacts.values() for record in records)
    return _Cost(
        fit.cell,
        fit=max(0.0, _spent(fit) - (features - spared)),
        features=features,
        measuring=sum(_wall(record) for record in results.evaluations),
        latency=sum(_wall(record) for record in results.latencies),
        stored_bytes=sum(artifact.bytes for artifact in artifacts),
        peak_memory_bytes=fit.budget.peak_memory_bytes if fit.budget else 0,
    )


def _spent(fit: FitRecord) -> float:
    """Return the seconds of a fit, without those that other cells had spent for it."""
    measured = sum(fit.phases.values()) - sum(fit.spared.values())
    return max(measured, 0.0 if fit.resumed_from else _wall(fit))


def _features(fit: FitRecord) -> float:
    """Return the seconds of a fit spent on features that other cells then reuse."""
    if fit.cell.backbone is None or _learns(fit.cell) or "features" not in fit.phases:
        return 0.0
    encoding = sum(spent for name, spent in fit.phases.items() if name.startswith("encode"))
    return fit.phases["features"] + encoding


def _learns(cell: Cell) -> bool:
    return cell.train is not None and not cell.frozen


def _passed(cell: Cell) -> tuple[object, ...]:
    """Return a key that is equal for cells that share features."""
    seed = None if cell.weights.pretrained else cell.seed
    network = cell.backbone, cell.weights, seed, _learns(cell)
    return (cell.data, *network, cell.precision)


def _wall(record: FitRecord | EvaluationRecord | LatencyRecord) -> float:
    began, ended = (datetime.fromisoformat(word) for word in (record.started, record.finished))
    return max(0.0, (ended - began).total_seconds())


def _data(cell: Cell) -> tuple[object, ...]:
    return cell.data.name, cell.data.label, cell.data.image_size


def _names(cell: Cell) -> tuple[str | None, str | None]:
    method = cell.method or cell.loss
    return cell.backbone.name if cell.backbone else None, method.name if method else None
