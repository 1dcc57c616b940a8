"""What a page shows beside the records themselves, computed by whoever can.

Reports read records and nothing else; intervals, differences and verdicts come from parts of the
house that themselves stand on reports. So they are handed in, as plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hashbench.store.store import Store


@dataclass(frozen=True, slots=True)
class Difference:
    """Two methods against each other.

    Attributes:
        first: The first's evaluation records, one a seed, sorted.
        second: The second's.
        metric: Full name of the metric.
        mean: The first's mean minus the second's.
        low: Lower end of the 95 % interval.
        high: Upper end.
        p: The p-value, corrected over all differences of the page.
        over: What the interval generalises to, with its n.
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
        name: Its name.
        says: What it says.
        source: Who says so.
        verdict: ``supported``, ``refuted`` or ``undecided``.
        why: Why it is undecided; empty otherwise.
        terms: Direction, margin and controls in one line.
        head: Headings of the checks.
        checks: What the verdict rests on, a row each; the last column holds record ids.
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
    """Everything a page shows that is not in the records as such.

    Attributes:
        stores: Of each cell by its id, the store where the arrays behind its records lie; a cell
            without one is shown without what they are needed for.
        intervals: 95 % intervals of means, by the records behind them, sorted, and the metric.
        differences: Pairs of methods.
        note: What was left out of the two, and why; empty if nothing was.
        claims: Claims with verdicts; None if no claims were asked for.
    """

    stores: Mapping[str, Store] = field(default_factory=dict)
    intervals: Mapping[tuple[tuple[str, ...], str], tuple[float, float]] = field(
        default_factory=dict
    )
    differences: tuple[Difference, ...] = ()
    note: str = ""
    claims: tuple[ClaimShown, ...] | None = None
