"""The statistics and verdicts that a page shows beside the records.

Reports only read records. Intervals, differences and verdicts are computed by packages that import
`hashbench.reports`, so the caller passes them in as plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hashbench.store.store import Store


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two methods.

    Attributes:
        first: Ids of the first method's evaluation records, one for each seed, sorted.
        second: Ids of the second method's.
        metric: Full name of the metric.
        mean: The mean of the first minus that of the second.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: The p-value, corrected over all differences of the page.
        over: The population that the interval generalises to, with its n.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    metric: str
    mean: float
    low: float
    high: float
    p: float
    over: str


@dataclass(frozen=True, slots=True)
class ClaimShown:
    """A claim with its verdict.

    Attributes:
        name: The claim's name.
        says: The claim in words.
        source: The publication that makes it.
        verdict: ``supported``, ``refuted`` or ``undecided``.
        why: The reason if it is undecided; empty otherwise.
        terms: Direction, margin and controls in one line.
        head: Headings of the checks.
        checks: The comparisons behind the verdict, one row each; the last column holds record ids.
    """

    name: str
    says: str
    source: str
    verdict: str
    why: str
    terms: str
    head: tuple[str, ...]
    checks: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The arrays, statistics and verdicts that a page shows beside the records.

    Attributes:
        stores: By cell id, the store that holds the arrays of the cell's records; figures of a
            cell without a store are left out.
        intervals: 95 % intervals of means, by the sorted ids of their records and the metric.
        differences: Differences between pairs of methods.
        note: The intervals or differences left out, with the reason; empty if there are none.
        claims: Claims with verdicts; None without ``--claims``.
    """

    stores: Mapping[str, Store] = field(default_factory=dict)
    intervals: Mapping[tuple[tuple[str, ...], str], tuple[float, float]] = field(
        default_factory=dict
    )
    differences: tuple[Difference, ...] = ()
    note: str = ""
    claims: tuple[ClaimShown, ...] | None = None
