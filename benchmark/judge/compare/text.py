"""Print a comparison as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from hashbench.judge.compare.comparison import ALPHA, Group, Row

_SMALLEST_P = 1e-4


def groups_text(groups: Sequence[Group], *, trace: bool) -> str:
    """Every group: its methods with letters, then its pairs; with record ids if ``trace``."""
    parts = [part for group in groups for part in _group_parts(group, trace=trace)]
    rows = [row for group in groups for row in group.rows]
    return "\n\n".join([*parts, _notes(rows, letters=True)])


def stores_text(
    first: str, second: str, rows: Sequence[Row], *, skipped: Sequence[str], trace: bool
) -> str:
    """A comparison of the same methods in two stores.

    Args:
        first: Name of the first store.
        second: Name of the second store.
        rows: One for each method, the first store's value minus the second's.
        skipped: Lines about methods that could not be compared.
        trace: Whether to add record ids.
    """
    body = [
        [row.first, *row_figures(row), _verdict(row, first, second), *_records(row, trace=trace)]
        for row in rows
    ]
    head = ["method", *FIGURES, "verdict", *(["records"] if trace else [])]
    title = f"## {first} minus {second}"
    return "\n\n".join([title, _table(body, head), *skipped, _notes(rows, letters=False)])


FIGURES = ("difference", "95 % interval", "p (Holm)", "win/tie/loss")


def _group_parts(group: Group, *, trace: bool) -> list[str]:
    short = {standing.name: f"#{n}" for n, standing in enumerate(group.standings, start=1)}
    standings = [
        [
            short[standing.name],
            standing.name,
            f"{standing.mean:.4f}",
            str(standing.seeds),
            standing.letters,
            *([" ".join(standing.records)] if trace else []),
        ]
        for standing in group.standings
    ]
    pairs = [
        [
            short[row.first],
            short[row.second],
            *row_figures(row),
            short.get(row.winner or "", "not shown"),
        ]
        for row in group.rows
    ]
    head = ["", "method", "mean", "seeds", "letters", *(["records"] if trace else [])]
    return [
        f"## {group.title}",
        _table(standings, head),
        _table(pairs, ["first", "second", *FIGURES, "better"]),
    ]


def row_figures(row: Row) -> list[str]:
    """A pair's difference, interval, p-value and counts, in the columns of `FIGURES`."""
    effect = row.effect
    p = f"< {_SMALLEST_P:g}" if row.p_holm < _SMALLEST_P else f"{row.p_holm:.4f}"
    counts = f"{row.wins}/{row.ties}/{row.losses}" if row.paired else "other queries"
    interval = f"[{effect.low:+.4f}, {effect.high:+.4f}]"
    return [f"{effect.mean:+.4f}", interval, p, counts]


def _verdict(row: Row, first: str, second: str) -> str:
    if not row.shown:
        return "not shown"
    return first if row.effect.mean > 0 else second


def _records(row: Row, *, trace: bool) -> list[str]:
    return [" ".join(row.records)] if trace else []


def _notes(rows: Sequence[Row], *, letters: bool) -> str:
    scopes = sorted(
        {f"{row.effect.over}, n = {row.effect.seeds} x {row.effect.queries}" for row in rows}
    )
    lines = [
        f"Intervals are over new {'; '.join(scopes)} (seeds x queries), each at 95 % for itself",
        f"p-values are corrected over {len(rows)} comparison{'s' * (len(rows) != 1)}; below "
        f"{ALPHA:g} a difference counts as shown",
        "win/tie/loss counts queries, by the mean over seeds",
    ]
    lines += ["methods that share a letter were not shown to differ"] if letters else []
    return "; ".join(lines) + "."


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(escaped, headers=list(headers), tablefmt="github", disable_numparse=True)
