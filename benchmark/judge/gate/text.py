"""What the gate found, as a table of what moved."""

from __future__ import annotations

from collections import Counter

from tabulate import tabulate

from hashbench.judge.gate.check import Findings, Row

_HEAD = ("cell", "metric", "baseline", "now", "change", "verdict")


def findings_text(findings: Findings) -> str:
    """A table of what moved, the worst first, then what was checked and how."""
    moved = sorted((row for row in findings.rows if row.moved), key=lambda row: not row.failed)
    table = tabulate(
        [_line(row) for row in moved], headers=_HEAD, tablefmt="github", disable_numparse=True
    )
    counts = Counter(row.verdict.partition(":")[0] for row in findings.rows)
    checked = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    cells = len({row.cell for row in findings.rows})
    shut = sum(row.failed for row in findings.rows)
    verdict = f"gate: FAILED by {shut} of {len(findings.rows)} checks" if shut else "gate: passed"
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
