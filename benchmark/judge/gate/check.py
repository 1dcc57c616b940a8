"""Compare a store with a baseline: metrics exactly or by a tolerance, times by ratio and floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from hashbench.core.errors import StoreError
from hashbench.core.record import FitRecord, LatencyEntry, LatencyRecord
from hashbench.judge.bit_equality import host_difference, reasons_for_unequal_codes
from hashbench.reports.frames import engine_label, training_seconds
from hashbench.store.catalogue import CellResults

EQUAL = 1e-12  # metrics of equal codes are equal to this


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the gate.

    A time is slower if it exceeds both ``ratio`` times the baseline's and the baseline's plus a
    floor.

    Attributes:
        tolerance: Loss of quality allowed where codes need not be equal to the last bit.
        ratio: Factor for all times.
        floor_seconds: Seconds, for training and encoding.
        floor_ms: Milliseconds a query, for latency.
    """

    tolerance: float = 0.03
    ratio: float = 2.0
    floor_seconds: float = 3.0
    floor_ms: float = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """The check of one value, or of one cell without values.

    Attributes:
        cell: The cell.
        quantity: The metric or time; empty for a whole cell.
        baseline: The baseline's value.
        now: The new value.
        verdict: The result in words.
        failed: Whether it makes the gate fail.
        moved: Whether it is printed.
    """

    cell: str
    quantity: str
    baseline: float | None
    now: float | None
    verdict: str
    failed: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a comparison with a baseline.

    Attributes:
        rows: Every check.
        notes: Reasons for checks that were less strict or left out.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether the gate fails."""
        return any(row.failed for row in self.rows)


def check(
    baseline: Sequence[CellResults], now: Sequence[CellResults], *, limits: Limits
) -> Findings:
    """Compare new results with a baseline, whose cells must all have been successful.

    Raises:
        StoreError: If the baseline is empty or has a cell that failed.
    """
    for results in baseline:
        if not results.fitted:
            raise StoreError(f"baseline: {_name(results)} failed; record the baseline again")
    if not baseline:
        raise StoreError("baseline: has no cells; make it with hashbench gate --update")
    found = {results.fit_id: results for results in now}
    known = {results.fit_id for results in baseline}
    notes: dict[str, None] = {}
    rows = [
        row
        for results in baseline
        for row in _cell_rows(results, found.get(results.fit_id), limits=limits, notes=notes)
    ]
    new = [results for results in now if results.fit_id not in known]
    rows += [_failure(results) for results in new if not results.fitted]
    good = sum(results.fitted for results in new)
    if good:
        notes[f"cells not in the baseline: {good}; --update adds them"] = None
    return Findings(tuple(rows), tuple(notes))


def _cell_rows(
    was: CellResults, now: CellResults | None, *, limits: Limits, notes: dict[str, None]
) -> Iterator[Row]:
    name = _name(was)
    if now is None or now.fit is None:
        yield Row(name, "", None, None, "missing: run the matrix again, or --update", True, True)
        return
    if not now.fitted:
        yield _failure(now)
        return
    yield from (_failed(name, record.kind, record) for record in now.failures)
    assert was.fit is not None  # noqa: S101 - `check` refused a baseline without fits
    yield from _quality_rows(name, (was, was.fit), (now, now.fit), limits=limits, notes=notes)
    if other := host_difference(was.fit.environment, now.fit.environment):
        notes[f"times are not compared, the hosts are not known to be alike ({other})"] = None
        return
    yield from _training_rows(name, was.fit, now.fit, limits=limits)
    yield from _latency_rows(name, was, now, limits=limits)


def _quality_rows(
    name: str,
    was: tuple[CellResults, FitRecord],
    now: tuple[CellResults, FitRecord],
    *,
    limits: Limits,
    notes: dict[str, None],
) -> Iterator[Row]:
    reasons = reasons_for_unequal_codes(was[1], now[1], compare_sources=False)
    if reasons:
        why = "; ".join(reasons)
        notes[f"quality may fall by {limits.tolerance:g}, codes need not be equal ({why})"] = None
    values = {metric: entry.value for metric, (entry, _) in now[0].metrics().items()}
    for metric, (entry, _) in was[0].metrics().items():
        if metric not in values:
            yield Row(name, metric, entry.value, None, "missing", True, True)
        elif abs(values[metric] - entry.value) <= EQUAL:
            yield Row(name, metric, entry.value, values[metric], "equal", False, False)
        elif not reasons:
            yield Row(name, metric, entry.value, values[metric], "moved", True, True)
        else:
            yield _within(name, metric, (entry.value, values[metric]), limits.tolerance)


def _within(name: str, metric: str, values: tuple[float, float], tolerance: float) -> Row:
    change = values[1] - values[0]
    if change < -tolerance:
        return Row(name, metric, *values, "worse", True, True)
    better = change > tolerance
    return Row(name, metric, *values, "better" if better else "within tolerance", False, better)


def _training_rows(name: str, was: FitRecord, now: FitRecord, *, limits: Limits) -> Iterator[Row]:
    times = {
        "training s": (training_seconds(was), training_seconds(now)),
        "encoding s": (_encoding_seconds(was), _encoding_seconds(now)),
    }
    for quantity, values in times.items():
        yield _speed(name, quantity, values, ratio=limits.ratio, floor=limits.floor_seconds)


def _encoding_seconds(fit: FitRecord) -> float:
    return sum(value for phase, value in fit.phases.items() if phase.startswith("encode"))


def _latency_rows(
    name: str, was: CellResults, now: CellResults, *, limits: Limits
) -> Iterator[Row]:
    known, found = _latencies(was.latencies), _latencies(now.latencies)
    for quantity, entry in known.items():
        if quantity not in found:
            yield Row(name, quantity, entry.mean_ms, None, "missing", True, True)
            continue
        # The median varies less than the mean; with too few calls there is none.
        one, other = entry, found[quantity]
        medians = one.p50_ms is not None and other.p50_ms is not None
        values = (one.p50_ms, other.p50_ms) if medians else (one.mean_ms, other.mean_ms)
        yield _speed(name, quantity, values, ratio=limits.ratio, floor=limits.floor_ms)


def _latencies(records: Sequence[LatencyRecord]) -> Mapping[str, LatencyEntry]:
    return {_latency_name(entry): entry for record in records for entry in record.entries}


def _latency_name(entry: LatencyEntry) -> str:
    setting = entry.setting
    encoding = ", with encoding" if entry.includes_encoding else ""
    return (
        f"{engine_label(setting)} ms a query (k {setting.k}, batch {setting.batch}, "
        f"{entry.threads_used} threads, {entry.database:,} codes{encoding})"
    )


def _speed(name: str, quantity: str, values: tuple[Any, Any], *, ratio: float, floor: float) -> Row:
    was, now = values
    if now > was * ratio and now - was > floor:
        return Row(name, quantity, was, now, "slower", True, True)
    faster = was > now * ratio and was - now > floor
    return Row(name, quantity, was, now, "faster" if faster else "as fast", False, faster)


def _failure(results: CellResults) -> Row:
    return _failed(_name(results), "", results.fit)


def _failed(name: str, what: str, record: Any) -> Row:
    cause = record.error.message.partition("\n")[0] if record.error else "no cause recorded"
    return Row(name, what, None, None, f"{record.status}: {cause}", True, True)


def _name(results: CellResults) -> str:
    return str(results.fit.cell) if results.fit else results.fit_id


_HEAD = ("cell", "metric", "baseline", "now", "change", "verdict")


def findings_text(findings: Findings) -> str:
    """A table of the values that moved, failures first, then notes and numbers of checks."""
    moved = sorted((row for row in findings.rows if row.moved), key=lambda row: not row.failed)
    table = tabulate(
        [_line(row) for row in moved], headers=_HEAD, tablefmt="github", disable_numparse=True
    )
    counts = Counter(row.verdict.partition(":")[0] for row in findings.rows)
    checked = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    cells = len({row.cell for row in findings.rows})
    failed = sum(row.failed for row in findings.rows)
    verdict = (
        f"gate: FAILED by {failed} of {len(findings.rows)} checks" if failed else "gate: passed"
    )
    notes = [f"note: {note}" for note in findings.notes]
    return "\n".join(
        [*([table, ""] if moved else []), *notes, f"cells: {cells}; values: {checked}", verdict]
    )


def _line(row: Row) -> list[str]:
    change = ""
    if row.baseline is not None and row.now is not None:
        change = f"{row.now - row.baseline:+.6g}"
        if row.verdict in {"slower", "faster"} and row.baseline:
            change += f" (x {row.now / row.baseline:.2f})"
    verdict = row.verdict.upper() if row.verdict == "missing" else row.verdict
    return [_plain(row.cell), row.quantity, _value(row.baseline), _value(row.now), change, verdict]


def _plain(cell: str) -> str:
    return cell.replace(" | ", ", ").replace("|", "\\|")


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
