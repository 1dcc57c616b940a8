"""Read the per-query values of methods under several seeds from records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hashbench.core.environment import Environment
from hashbench.core.errors import ConfigError
from hashbench.core.record import Artifact, EvaluationRecord, FitRecord
from hashbench.evaluation.names import parse_metric
from hashbench.reports.labels import method_labels
from hashbench.store.catalogue import CellResults

PER_QUERY = "per_query"


class Arrays(Protocol):
    """The part of a store that samples are read from."""

    def read_arrays(self, fit_id: str, artifact: Artifact) -> dict[str, Any]:
        """Read arrays and check them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The per-query values of one metric of a method, at one code length on one protocol.

    Attributes:
        method: Its label.
        protocol: The protocol as tables print it.
        protocol_sha256: Digest of the protocol's definition.
        bits: The code length as tables print it.
        device: The device class.
        metric: Full name of the metric.
        seeds: The cells' seeds, in rising order.
        values: float64 (seeds, queries); NaN where the metric leaves a query out.
        fits: The fit of each seed.
        records: Id of the evaluation record of each seed.
    """

    method: str
    protocol: str
    protocol_sha256: str
    bits: str
    device: str
    metric: str
    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    fits: tuple[FitRecord, ...]
    records: tuple[str, ...]

    @property
    def mean(self) -> float:
        """The metric's mean over seeds and queries."""
        return float(np.nanmean(self.values))

    def take(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """The values of some of its seeds, float64 (seeds, queries)."""
        return self.values[[self.seeds.index(seed) for seed in seeds]]


def device_class(environment: Environment) -> str:
    """Name the device and arithmetic across which results are never averaged.

    Example:
        ``cpu AMD EPYC (x86-64-v3)``
    """
    return f"{environment.device.kind} {environment.computed_on}"


def read_samples(
    store: Arrays, cells: Sequence[CellResults], metric: str, *, or_like: bool = False
) -> list[Sample]:
    """Read one sample for each method, protocol, code length and device class.

    Args:
        store: The store.
        cells: The cells to read.
        metric: The metric's full name.
        or_like: Whether a cell without that metric gives another of the same family instead.

    Raises:
        ConfigError: If the metric has no per-query values.
        DamagedStoreError: If an artifact is damaged.
    """
    labels = method_labels([c.fit for c in cells if c.fitted and c.fit])
    groups: defaultdict[tuple[str, ...], list[tuple[FitRecord, EvaluationRecord]]]
    groups = defaultdict(list)
    for results in cells:
        if not results.fitted or results.fit is None:
            continue
        known, fit = results.metrics(), results.fit
        if (name := _chosen(metric, known, or_like=or_like)) is not None:
            data = fit.cell.data
            device = device_class(fit.environment)
            key = (data.label, data.protocol_sha256, fit.cell.bits_label, device, name)
            groups[labels[fit.record_id], *key].append((fit, known[name][1]))
    return [_sample(store, key, found) for key, found in sorted(groups.items())]


def _chosen(metric: str, known: Iterable[str], *, or_like: bool) -> str | None:
    names = list(known)
    if metric in names:
        return metric
    family = parse_metric(metric).family
    like = [name for name in names if or_like and parse_metric(name).family is family]
    return min(like, key=lambda name: parse_metric(name).reading_order, default=None)


def _sample(
    store: Arrays, key: tuple[str, ...], found: list[tuple[FitRecord, EvaluationRecord]]
) -> Sample:
    found = sorted(found, key=lambda pair: pair[0].cell.seed)
    method, protocol, sha256, bits, device, metric = key
    return Sample(
        method,
        protocol,
        sha256,
        bits,
        device,
        metric,
        tuple(fit.cell.seed for fit, _ in found),
        np.stack([per_query(store, record, metric) for _, record in found]),
        tuple(fit for fit, _ in found),
        tuple(record.record_id for _, record in found),
    )


def per_query(store: Arrays, record: EvaluationRecord, metric: str) -> NDArray[np.float64]:
    """Read a metric's value of each query, float64 (queries,); NaN where one is left out.

    Raises:
        ConfigError: If the metric has no per-query values.
        DamagedStoreError: If the artifact is damaged.
    """
    arrays = {}
    if PER_QUERY in record.artifacts:
        arrays = store.read_arrays(record.fit_id, record.artifacts[PER_QUERY])
    if metric not in arrays:
        raise ConfigError(
            f"metric {metric}: record {record.record_id} has no per-query values of it; "
            f"choose another --metric"
        )
    return np.asarray(arrays[metric], dtype=np.float64)
