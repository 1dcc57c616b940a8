"""Verdicts on a second run, and whether a stored one follows from what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hashbench.core.record import (
    EvaluationRecord,
    FitRecord,
    Level,
    RepeatedMetric,
    ReproductionRecord,
    Verdict,
)
from hashbench.store.codes import NAME as CODES


def metric_verdict(
    first: float, again: float, *, low: float | None, high: float | None, tolerance: float
) -> Verdict:
    """How near a second value is to a first.

    Args:
        first: The first value.
        again: The second.
        low: Lower end of the interval of the difference; None where there is none.
        high: Its upper end.
        tolerance: Largest difference that counts as within, whatever the interval.

    Returns:
        ``bit-equal`` for equal values; ``within`` where the interval holds 0, or the difference is
        at most the tolerance; else ``outside``.
    """
    if first == again:
        return Verdict.BIT_EQUAL
    holds_zero = low is not None and high is not None and low <= 0 <= high
    near = abs(again - first) <= tolerance
    return Verdict.WITHIN if holds_zero or near else Verdict.OUTSIDE


def overall_verdict(
    level: Level, *, codes_equal: bool, metrics: Iterable[RepeatedMetric]
) -> Verdict:
    """The verdict on a whole run.

    Where bit equality is promised, anything else is outside. Where it is not, the metrics decide;
    without any, nothing shows that other codes are as good as the first.

    Args:
        level: What the run is held to.
        codes_equal: Whether both runs gave the same codes.
        metrics: Values of both runs.
    """
    verdicts = [metric.verdict for metric in metrics]
    if codes_equal and all(verdict is Verdict.BIT_EQUAL for verdict in verdicts):
        return Verdict.BIT_EQUAL
    if level is Level.BIT_EQUAL or not verdicts or Verdict.OUTSIDE in verdicts:
        return Verdict.OUTSIDE
    return Verdict.WITHIN


def reproduction_differences(
    record: ReproductionRecord, fit: FitRecord, evaluations: Iterable[EvaluationRecord]
) -> Iterator[str]:
    """Say where a stored reproduction does not follow from itself and the records it is of.

    Args:
        record: The reproduction.
        fit: The fit that was run again.
        evaluations: The evaluations of its cell.
    """
    codes = fit.artifacts.get(CODES)
    if codes is not None and record.codes_first != codes.sha256:
        yield f"its first codes are {record.codes_first}, those of the fit {codes.sha256}"
    known = {each.record_id: each.metrics for each in evaluations}
    for name, metric in record.metrics.items():
        entry = known.get(metric.record, {}).get(name)
        if entry is None or entry.value != metric.first:
            yield f"{name}: evaluation {metric.record} does not say {metric.first!r}"
        follows = metric_verdict(
            metric.first,
            metric.again,
            low=metric.low,
            high=metric.high,
            tolerance=record.tolerance,
        )
        if follows is not metric.verdict:
            yield f"{name}: verdict {metric.verdict}, from its numbers follows {follows}"
    if record.codes_first == record.codes_again and not record.codes_equal:
        yield "its two codes are the same, but it says that they differ"
    follows = overall_verdict(
        record.level, codes_equal=bool(record.codes_equal), metrics=record.metrics.values()
    )
    if follows is not record.verdict:
        yield f"verdict {record.verdict}, from its numbers follows {follows}"
