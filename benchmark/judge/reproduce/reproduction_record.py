"""Verdicts on a second run, and a check that a stored verdict follows from its numbers."""

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
    """Judge how near the second value of a metric is to the first.

    Returns:
        ``bit-equal`` for equal values; ``within`` if the interval of the difference from ``low`` to
        ``high`` holds 0, or the difference is at most the tolerance; else ``outside``.
    """
    if first == again:
        return Verdict.BIT_EQUAL
    holds_zero = low is not None and high is not None and low <= 0 <= high
    near = abs(again - first) <= tolerance
    return Verdict.WITHIN if holds_zero or near else Verdict.OUTSIDE


def overall_verdict(
    level: Level, *, codes_equal: bool, metrics: Iterable[RepeatedMetric]
) -> Verdict:
    """Judge a whole second run.

    Where codes must be equal, any difference is outside. Elsewhere the metrics decide; without any
    metric other codes are outside too, since nothing shows that they are as good as the first.
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
    """Describe where a stored reproduction contradicts itself, its fit or its evaluations."""
    codes = fit.artifacts.get(CODES)
    if codes is not None and record.codes_first != codes.sha256:
        yield f"its first codes have SHA-256 {record.codes_first}, those of the fit {codes.sha256}"
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
            yield f"{name}: verdict is {metric.verdict}, but {follows} follows from its numbers"
    if record.codes_first == record.codes_again and not record.codes_equal:
        yield "its two codes are the same, but it says that they differ"
    follows = overall_verdict(
        record.level, codes_equal=bool(record.codes_equal), metrics=record.metrics.values()
    )
    if follows is not record.verdict:
        yield f"verdict is {record.verdict}, but {follows} follows from its numbers"
