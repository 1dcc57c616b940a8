"""The view of a report: the tables, rows, columns and metrics that the user wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hashbench.core.errors import ConfigError, did_you_mean

TABLES: Final = (
    *("map", "metrics", "codes", "training", "budget", "latency", "convergence"),
    *("ablation", "published", "failures"),
)
"""The names of the tables; ``map`` is the part of ``metrics`` that is mAP."""

ALL: Final = tuple(name for name in TABLES if name != "map")

# The keys of --rows and --cols, and the columns of `hashbench.reports.frames` they stand for.
KEYS: Final[Mapping[str, str]] = {
    "dataset": "dataset",
    "protocol": "protocol",
    "backbone": "backbone",
    "loss": "loss",
    "method": "method",
    "bits": "bits",
    "seed": "seed",
    "metric": "metric",
    "device": "device_name",
    "recipe": "recipe",
    "precision": "precision",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a variant to the full method, over the seeds that both have.

    Attributes:
        mean: The variant's mean less the full method's.
        low: The lower end of the 95 % interval, not corrected for multiple comparisons.
        high: The upper end.
        p: The p-value of no difference, corrected by Holm over the report's ablations by a metric.
        seeds: The number of seeds that both have.
    """

    mean: float
    low: float
    high: float
    p: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Comparisons:
    """The results of paired statistics over queries.

    `hashbench.judge.compare.significance` makes them.

    Attributes:
        letters: By metric and evaluation record, the letters of significance. Methods with a letter
            in common, on one protocol and device and at one code length, were not shown to differ.
        tested: By metric, the number of pairs that the p-values were corrected over.
        differences: The differences of ablations, by metric and evaluation record.
    """

    letters: Mapping[tuple[str, str], str] = field(default_factory=dict)
    tested: Mapping[str, int] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """The tables, rows, columns and metrics of a report.

    A reporter is called as ``render(cells, trace=trace, view=view)`` with the selected cells.

    Attributes:
        tables: Names of `TABLES`, in the order shown.
        rows: Keys of `KEYS` for the rows of the metric tables.
        columns: Keys of `KEYS` for their columns.
        metrics: Full names of the metrics wanted; all if empty.
        full: The full method of ablations, or a part of its label; empty to find it.
        pivoted: Whether the user gave rows or columns.
        comparisons: Letters and differences, if they were computed.
    """

    tables: tuple[str, ...] = ALL
    rows: tuple[str, ...] = ("method",)
    columns: tuple[str, ...] = ("bits",)
    metrics: tuple[str, ...] = ()
    full: str = ""
    pivoted: bool = False
    comparisons: Comparisons = field(default_factory=Comparisons)


def parse_tables(words: Iterable[str]) -> tuple[str, ...]:
    """Read the names of tables, separated by commas; ``all`` and no name stand for all.

    Raises:
        ConfigError: If a name is unknown.
    """
    given = _split(words)
    for word in given:
        if word not in (*TABLES, "all"):
            near = did_you_mean(word, [*TABLES, "all"])
            raise ConfigError(f"--table {word}: unknown table. {near}")
    return ALL if not given or "all" in given else tuple(given)


def parse_keys(words: Iterable[str], option: str) -> tuple[str, ...]:
    """Read the keys, separated by commas, of ``--rows`` or ``--cols``.

    Raises:
        ConfigError: If a key is unknown.
    """
    given = _split(words)
    for word in given:
        if word not in KEYS:
            raise ConfigError(f"{option} {word}: unknown key. {did_you_mean(word, list(KEYS))}")
    return tuple(given)


def parse_pivot(
    rows: Iterable[str], columns: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read the keys of rows and columns; the defaults are methods by code length.

    Raises:
        ConfigError: If a key is unknown, or in both.
    """
    down, across = parse_keys(rows, "--rows"), parse_keys(columns, "--cols")
    down = down or tuple(key for key in ("method", "bits") if key not in across)[:1]
    across = across or tuple(key for key in ("bits", "method") if key not in down)[:1]
    if both := [key for key in down if key in across]:
        raise ConfigError(f"--cols {both[0]}: --rows has this key too; name it in one of them")
    return down, across


def _split(words: Iterable[str]) -> list[str]:
    parts = (part.strip() for word in words for part in word.split(","))
    return list(dict.fromkeys(part for part in parts if part))
