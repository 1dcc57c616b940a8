"""What of the records a report shows, and how: the arguments of ``hashbench report``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hashbench.core.errors import ConfigError, did_you_mean

TABLES: Final = (
    *("map", "metrics", "codes", "training", "budget", "latency", "convergence"),
    *("ablation", "published", "failures"),
)
"""The tables by name; ``map`` is the part of ``metrics`` that is mAP."""

ALL: Final = tuple(name for name in TABLES if name != "map")

# A key of a pivot, and the column of `hashbench.reports.frames` that it stands for.
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
    """A variant of a method against the full method, under the seeds that both have.

    Attributes:
        mean: The variant's mean less the full method's.
        low: Lower end of the interval of 95 %, for itself.
        high: Its upper end.
        p: The p-value of no difference, corrected by Holm over the report's ablations by a metric.
        seeds: The seeds that both have.
    """

    mean: float
    low: float
    high: float
    p: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What statistics over the values of every query say; made by `hashbench.judge.compare.marks`.

    Attributes:
        letters: By metric and evaluation record: methods with a letter in common, on one protocol
            and device and at one code length, were not shown to differ.
        tested: By metric, how many pairs the p-values behind the letters were corrected over.
        differences: By metric and an evaluation record of the variant.
    """

    letters: Mapping[tuple[str, str], str] = field(default_factory=dict)
    tested: Mapping[str, int] = field(default_factory=dict)
    differences: Mapping[tuple[str, str], Difference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """What a report shows.

    A reporter is called as ``render(cells, trace=trace, view=view)``; the cells are those wanted
    already.

    Attributes:
        tables: Names of `TABLES`, in the order shown.
        rows: Keys of `KEYS` that stand in the rows of the tables of metrics.
        columns: Keys that stand in their columns.
        metrics: Full names of the metrics wanted; all without any.
        full: The full method of ablations, or a word of its label; empty to find it.
        pivoted: Whether rows or columns were asked for.
        comparisons: Letters and differences, where they were asked for.
    """

    tables: tuple[str, ...] = ALL
    rows: tuple[str, ...] = ("method",)
    columns: tuple[str, ...] = ("bits",)
    metrics: tuple[str, ...] = ()
    full: str = ""
    pivoted: bool = False
    comparisons: Comparisons = field(default_factory=Comparisons)


def parse_tables(words: Iterable[str]) -> tuple[str, ...]:
    """Read names of tables.

    Args:
        words: Names, or several with commas between; ``all`` and none at all stand for all.

    Raises:
        ConfigError: If one is unknown.
    """
    given = _split(words)
    for word in given:
        if word not in (*TABLES, "all"):
            near = did_you_mean(word, [*TABLES, "all"])
            raise ConfigError(f"--table {word}: there is no such table. {near}")
    return ALL if not given or "all" in given else tuple(given)


def parse_keys(words: Iterable[str], option: str) -> tuple[str, ...]:
    """Read keys of a pivot.

    Args:
        words: Keys, or several with commas between.
        option: What the user wrote them behind.

    Raises:
        ConfigError: If one is unknown.
    """
    given = _split(words)
    for word in given:
        if word not in KEYS:
            raise ConfigError(f"{option} {word}: unknown key. {did_you_mean(word, list(KEYS))}")
    return tuple(given)


def parse_pivot(
    rows: Iterable[str], columns: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read the keys of rows and columns; what is not given is methods by code length.

    Args:
        rows: As the user wrote them.
        columns: As the user wrote them.

    Raises:
        ConfigError: If a key is unknown, or in both.
    """
    down, across = parse_keys(rows, "--rows"), parse_keys(columns, "--cols")
    down = down or tuple(key for key in ("method", "bits") if key not in across)[:1]
    across = across or tuple(key for key in ("bits", "method") if key not in down)[:1]
    if both := [key for key in down if key in across]:
        raise ConfigError(f"--cols {both[0]}: stands in the rows already; name it in one of both")
    return down, across


def _split(words: Iterable[str]) -> list[str]:
    parts = (part.strip() for word in words for part in word.split(","))
    return list(dict.fromkeys(part for part in parts if part))
