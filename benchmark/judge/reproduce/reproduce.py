"""Run a record's fit again, and compare its codes and metrics with the first run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.record import (
    EvaluationRecord,
    FitRecord,
    Level,
    MetricEntry,
    RepeatedMetric,
    ReproductionRecord,
    Status,
    seal,
    timestamp,
)
from hashbench.judge.bit_equality import reasons_for_unequal_codes
from hashbench.judge.compare.bootstrap import paired_bootstrap
from hashbench.judge.reproduce.reproduction_record import metric_verdict, overall_verdict
from hashbench.judge.reproduce.rerun import RunOptions, check_options, run_again
from hashbench.store.catalogue import CellResults
from hashbench.store.codes import NAME as CODES
from hashbench.store.lookup import Found
from hashbench.store.store import Store

TOLERANCE = 0.01
_PER_QUERY = "per_query"
_FEWEST = 2  # queries for which an interval can be computed


def reproduce(
    found: Found,
    again_in: Store,
    *,
    options: RunOptions,
    tolerance: float = TOLERANCE,
    say: Callable[[str], None] = lambda _: None,
) -> ReproductionRecord:
    """Run a fit again, compare both runs, and return a sealed record of the comparison.

    Args:
        found: The record of the first run.
        again_in: An empty store for the second run.
        options: Settings of the second run that the record does not hold.
        tolerance: Largest difference of a metric that counts as within, whatever its interval.
        say: Called with lines about progress.

    Raises:
        ConfigError: If the first run has no codes, or cannot be repeated on this machine.
        StoreError: If the second store cannot be written.
    """
    fit, started = found.fit, timestamp()
    if fit.status is not Status.OK or CODES not in fit.artifacts:
        raise ConfigError(
            f"record {fit.record_id}: {fit.cell} has the status {fit.status}, so there are no codes"
        )
    check_options(fit, options)
    first = _metrics(found)
    results = run_again(fit, again_in, metrics=list(first), options=options, say=say)
    again = results.fit
    if again is None or again.status is not Status.OK or results.failures:
        return _failed(found, results, started=started, tolerance=tolerance)
    reasons = reasons_for_unequal_codes(fit, again)
    level = Level.STATISTICAL if reasons else Level.BIT_EQUAL
    metrics = _compare(found, first, results, again_in, tolerance=tolerance)
    equal, differing = _compare_codes(found, again, again_in)
    return seal(
        ReproductionRecord(
            fit_id=fit.fit_id,
            fit_record=fit.record_id,
            status=Status.OK,
            environment=again.environment,
            sources=again.sources,
            started=started,
            finished=timestamp(),
            level=level,
            reasons=reasons,
            codes_first=fit.artifacts[CODES].sha256,
            codes_again=again.artifacts[CODES].sha256,
            codes_equal=equal,
            bits_differing=differing,
            data=again.data,
            metrics=metrics,
            tolerance=tolerance,
            verdict=overall_verdict(level, codes_equal=equal, metrics=metrics.values()),
        )
    )


def _metrics(found: Found) -> dict[str, tuple[MetricEntry, EvaluationRecord]]:
    return {
        name: (entry, record)
        for record in found.evaluations
        for name, entry in record.metrics.items()
    }


def _failed(
    found: Found, results: CellResults, *, started: str, tolerance: float
) -> ReproductionRecord:
    bad = results.failures[-1] if results.failures else results.fit
    if bad is None:
        raise DamagedStoreError("reproduce: the second run wrote no record; run it again")
    return seal(
        ReproductionRecord(
            fit_id=found.fit.fit_id,
            fit_record=found.fit.record_id,
            status=bad.status,
            error=bad.error,
            environment=bad.environment,
            sources=bad.sources,
            started=started,
            finished=timestamp(),
            level=Level.STATISTICAL,
            reasons=["the second run failed"],
            codes_first=found.fit.artifacts[CODES].sha256,
            tolerance=tolerance,
        )
    )


def _compare(
    found: Found,
    first: Mapping[str, tuple[MetricEntry, EvaluationRecord]],
    results: CellResults,
    again_in: Store,
    *,
    tolerance: float,
) -> dict[str, RepeatedMetric]:
    second = results.metrics()
    compared = {}
    for name, (old, record) in first.items():
        entry, new_record = second[name]
        low, high = _interval(
            _per_query(found.store, record, name), _per_query(again_in, new_record, name)
        )
        compared[name] = RepeatedMetric(
            record=record.record_id,
            first=old.value,
            again=entry.value,
            low=low,
            high=high,
            verdict=metric_verdict(old.value, entry.value, low=low, high=high, tolerance=tolerance),
        )
    return compared


def _per_query(
    store: Store | None, record: EvaluationRecord, name: str
) -> NDArray[np.float64] | None:
    if store is None or _PER_QUERY not in record.artifacts:
        return None
    return store.read_arrays(record.fit_id, record.artifacts[_PER_QUERY]).get(name)


def _interval(
    first: NDArray[np.float64] | None, again: NDArray[np.float64] | None
) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean difference over queries; None if it cannot be computed."""
    if first is None or again is None or first.shape != again.shape:
        return None, None
    differences = (again - first)[~np.isnan(again - first)]  # NaN: a query left out
    if len(differences) < _FEWEST or not differences.any():
        return None, None
    effect = paired_bootstrap(differences[None, :])
    return effect.low, effect.high


def _compare_codes(found: Found, again: FitRecord, again_in: Store) -> tuple[bool, float | None]:
    """Whether the codes are equal, and the share of bits that differ."""
    old, new = found.fit.artifacts[CODES], again.artifacts[CODES]
    if old.sha256 == new.sha256:
        return True, 0.0 if found.fit.cell.bits else None
    if found.store is None:
        return False, None
    try:
        stored = found.store.read_arrays(found.fit.fit_id, old)
    except DamagedStoreError:
        return False, None  # the file is missing or damaged, but the checksums differ
    return _compare_arrays(stored, again_in.read_arrays(again.fit_id, new), found.fit.cell.bits)


def _compare_arrays(
    old: Mapping[str, NDArray[Any]], new: Mapping[str, NDArray[Any]], bits: int | None
) -> tuple[bool, float | None]:
    sides = ("query", "database")
    equal = old.keys() == new.keys() and all(np.array_equal(old[key], new[key]) for key in old)
    if bits is None or any(old[side].shape != new[side].shape for side in sides):
        return equal, None
    differing = sum(int(np.unpackbits(old[side] ^ new[side]).sum()) for side in sides)
    return equal, differing / (bits * sum(len(old[side]) for side in sides))
