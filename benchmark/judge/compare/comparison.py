"""Compare methods: differences with intervals, corrected p-values, win/tie/loss, letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError
from hashbench.judge.compare.bootstrap import Effect, paired_bootstrap, unpaired_bootstrap
from hashbench.judge.compare.holm import holm
from hashbench.judge.compare.samples import Sample

ALPHA = 0.05
_TIE = 1e-12  # per-query values closer than this are equal


class Across(StrEnum):
    """Properties that methods must share to be compared, unless the user allows otherwise."""

    PROTOCOLS = "protocols"
    METRICS = "metrics"
    DEVICES = "devices"
    BITS = "bits"

    def of(self, sample: Sample) -> tuple[str, ...]:
        """The values of this property of a sample."""
        return {
            Across.PROTOCOLS: (sample.protocol, sample.protocol_sha256),
            Across.METRICS: (sample.metric,),
            Across.DEVICES: (sample.device,),
            Across.BITS: (sample.bits,),
        }[self]


_CALLED = {
    Across.PROTOCOLS: "protocols",
    Across.METRICS: "metric definitions",
    Across.DEVICES: "device classes",
    Across.BITS: "code lengths",
}


@dataclass(frozen=True, slots=True)
class Row:
    """The comparison of one pair of methods.

    Attributes:
        first: Name of the first method.
        second: Name of the second method.
        effect: The first's mean minus the second's.
        p_holm: The p-value after Holm's correction over the family.
        wins: Queries on which the first is better, by their mean over seeds.
        ties: Queries on which they are equal.
        losses: Queries on which the second is better.
        paired: Whether both answered the same queries; otherwise wins, ties and losses are 0.
        records: Ids of the evaluation records of both.
    """

    first: str
    second: str
    effect: Effect
    p_holm: float
    wins: int
    ties: int
    losses: int
    paired: bool
    records: tuple[str, ...]

    @property
    def shown(self) -> bool:
        """Whether the difference is significant at 5 % over the family."""
        return self.p_holm < ALPHA

    @property
    def winner(self) -> str | None:
        """The better method, if the difference is significant."""
        if not self.shown:
            return None
        return self.first if self.effect.mean > 0 else self.second


@dataclass(frozen=True, slots=True)
class Standing:
    """One method within a group.

    Attributes:
        name: The method.
        mean: Its mean over all its seeds and queries.
        seeds: Number of seeds.
        letters: Two methods share a letter exactly if their difference is not significant.
        records: Ids of its evaluation records.
    """

    name: str
    mean: float
    seeds: int
    letters: str
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Methods that may be compared with each other, best first.

    Attributes:
        title: Protocol, code length, metric and device class.
        standings: The methods.
        rows: Every pair of them.
    """

    title: str
    standings: tuple[Standing, ...]
    rows: tuple[Row, ...]


def compare_samples(
    samples: Sequence[Sample], *, named: Sequence[str] = (), across: Sequence[Across] = ()
) -> list[Group]:
    """Compare every pair of methods within each protocol, code length, metric and device class.

    Args:
        samples: The samples.
        named: Methods that the user named; each two of them must be comparable somewhere.
        across: Properties that need not be equal.

    Returns:
        Groups of at least two methods. Holm's correction is over all pairs of all groups.

    Raises:
        ConfigError: If two named methods cannot be compared anywhere; it names what differs.
    """
    groups: defaultdict[tuple[tuple[str, ...], ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[_key(sample, across)].append(sample)
    for pair in combinations(named, 2):
        _refuse_incomparable(samples, pair, across)
    several = [group for group in groups.values() if len(group) > 1]
    pairs = [list(combinations(_ranked(group), 2)) for group in several]
    rows = [[_row(a, b, group) for a, b in own] for own, group in zip(pairs, several, strict=True)]
    return [_group(group, own) for group, own in zip(several, _corrected(rows), strict=True)]


def compare_stores(
    first: Sequence[Sample], second: Sequence[Sample], *, across: Sequence[Across] = ()
) -> tuple[list[Row], list[str]]:
    """Compare each method in one store with the same method in another.

    Args:
        first: Samples of the first store.
        second: Samples of the second store.
        across: Properties that need not be equal.

    Returns:
        Rows named by method, protocol and code length, and a line for each method that could not
        be compared.

    Raises:
        ConfigError: If nothing can be compared; it names what differs.
    """
    rows, alone, different = [], [], []
    for a in first:
        same = [b for b in second if b.method == a.method]
        fitting = [b for b in same if _key(a, across) == _key(b, across)]
        rows += [_store_row(a, b) for b in fitting]
        if not same:
            alone.append(a.method)
        elif not fitting:
            different.append(_why_not(a, same))
    if not rows and not different:
        raise ConfigError("compare: the two stores have no method in common")
    if not rows:
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        raise ConfigError(f"{min(different, key=_severity)}{more}")
    lonely = [f"only in the first store: {', '.join(dict.fromkeys(alone))}"] if alone else []
    return _corrected([rows])[0], [*different, *lonely]


def _key(sample: Sample, across: Sequence[Across]) -> tuple[tuple[str, ...], ...]:
    return tuple(kind.of(sample) for kind in Across if kind not in across)


def _ranked(group: Sequence[Sample]) -> list[Sample]:
    return sorted(group, key=lambda sample: -sample.mean)


def _refuse_incomparable(
    samples: Sequence[Sample], pair: tuple[str, str], across: Sequence[Across]
) -> None:
    first, second = ([s for s in samples if s.method == name] for name in pair)
    met = {_key(s, across) for s in first} & {_key(s, across) for s in second}
    if first and second and not met:
        raise ConfigError(min((_why_not(a, second) for a in first), key=_severity))


def _severity(why: str) -> tuple[int, str]:
    return why.count("--across"), why


def _why_not(sample: Sample, others: Sequence[Sample]) -> str:
    """Describe in one line how a sample differs from the most similar of others."""
    where = f"compare: {sample.method} on {sample.protocol} at {sample.bits} bits"
    differing = [[kind for kind in Across if kind.of(sample) != kind.of(o)] for o in others]
    kinds, other = min(zip(differing, others, strict=True), key=lambda pair: len(pair[0]))
    against = "" if other.method == sample.method else f" against {other.method}"
    what = "; ".join(
        f"different {_CALLED[kind]} ({_text(kind, sample)} and {_text(kind, other)})"
        for kind in kinds
    )
    flags = " ".join(f"--across {kind}" for kind in kinds)
    return f"{where}{against}: {what}; {flags} compares them nevertheless"


def _text(kind: Across, sample: Sample) -> str:
    parts = kind.of(sample)
    return f"{parts[0]} of digest {parts[1][:8]}" if len(parts) > 1 else parts[0]


def _name(sample: Sample, group: Sequence[Sample]) -> str:
    """The method's name, with the properties that vary within the group."""
    varying = [kind for kind in Across if len({kind.of(other) for other in group}) > 1]
    shown = [f"{kind.of(sample)[0]}{' bits' * (kind is Across.BITS)}" for kind in varying]
    return f"{sample.method} ({', '.join(shown)})" if shown else sample.method


def _row(first: Sample, second: Sample, group: Sequence[Sample]) -> Row:
    return compare_pair(first, second, names=(_name(first, group), _name(second, group)))


def _store_row(first: Sample, second: Sample) -> Row:
    name = f"{first.method} on {first.protocol}, {first.bits} bits"
    return compare_pair(first, second, names=(name, name))


def compare_pair(
    first: Sample, second: Sample, *, names: tuple[str, str], null: float = 0.0
) -> Row:
    """Compare two samples under the seeds that both have, without correcting p.

    Args:
        first: A sample.
        second: Another sample.
        names: Their names in the row.
        null: The difference that ``p`` tests.

    Raises:
        ConfigError: If they have no seed in common.
    """
    seeds = [seed for seed in first.seeds if seed in second.seeds]
    if not seeds:
        raise ConfigError(
            f"compare: {first.method} (seeds {_list(first.seeds)}) and {second.method} (seeds "
            f"{_list(second.seeds)}) have no seed in common; run both with the same seeds"
        )
    one, two = first.take(seeds), second.take(seeds)
    paired = Across.PROTOCOLS.of(first) == Across.PROTOCOLS.of(second)
    if paired:
        differences = _without_gaps(one - two)
        effect = paired_bootstrap(differences, null=null)
        counts = _counts(differences.mean(axis=0))
    else:
        effect, counts = unpaired_bootstrap(_without_gaps(one), _without_gaps(two)), (0, 0, 0)
    return Row(*names, effect, effect.p, *counts, paired, (*first.records, *second.records))


def _without_gaps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of queries that no seed leaves out."""
    return np.asarray(values[:, np.isfinite(values).all(axis=0)])


def _counts(by_query: NDArray[np.float64]) -> tuple[int, int, int]:
    wins, losses = int((by_query > _TIE).sum()), int((by_query < -_TIE).sum())
    return wins, len(by_query) - wins - losses, losses


def _corrected(groups: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """Apply Holm's correction over all rows."""
    adjusted = iter(holm([row.effect.p for group in groups for row in group]))
    return [[replace(row, p_holm=next(adjusted)) for row in group] for group in groups]


def _group(group: Sequence[Sample], rows: Sequence[Row]) -> Group:
    ranked = _ranked(group)
    names = [_name(sample, group) for sample in ranked]
    different = {frozenset({row.first, row.second}) for row in rows if row.shown}
    letters = compact_letters(names, different)
    standings = tuple(
        Standing(name, sample.mean, len(sample.seeds), letters[name], sample.records)
        for name, sample in zip(names, ranked, strict=True)
    )
    return Group(_title(group), standings, tuple(rows))


def _title(group: Sequence[Sample]) -> str:
    parts = []
    for kind in (Across.METRICS, Across.PROTOCOLS, Across.BITS, Across.DEVICES):
        values = sorted({kind.of(sample)[0] for sample in group})
        suffix = " bits" if kind is Across.BITS and values != ["float"] else ""
        parts.append(" and ".join(values) + suffix)
    return ", ".join(parts)


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def compact_letters(names: Sequence[str], different: Collection[frozenset[str]]) -> dict[str, str]:
    """Assign letters to methods (insert and absorb).

    Piepho, An algorithm for a letter-based representation of all-pairwise comparisons, Journal of
    Computational and Graphical Statistics 2004.

    Example:
        >>> compact_letters(["x", "y", "z"], [frozenset({"x", "z"})])
        {'x': 'a', 'y': 'ab', 'z': 'b'}

    Args:
        names: The methods, best first; the first gets ``a``.
        different: The pairs whose difference is significant.

    Returns:
        Letters by name. Two names share a letter exactly if their pair is not in ``different``.
    """
    groups = [frozenset(names)]
    for pair in sorted(map(sorted, different)):
        groups = _absorbed(_split(groups, frozenset(pair)))
    place = {name: index for index, name in enumerate(names)}
    ordered = sorted(groups, key=lambda group: sorted(place[name] for name in group))
    return {
        name: "".join(_letter(index) for index, group in enumerate(ordered) if name in group)
        for name in names
    }


def _split(groups: list[frozenset[str]], pair: frozenset[str]) -> list[frozenset[str]]:
    """Split each group that holds both of a pair into two, each without one of them."""
    found = []
    for group in groups:
        found += [group - {name} for name in sorted(pair)] if pair <= group else [group]
    return found


def _absorbed(groups: list[frozenset[str]]) -> list[frozenset[str]]:
    """Remove groups that are part of another group."""
    unique = list(dict.fromkeys(groups))
    return [group for group in unique if not any(group < other for other in unique)]


def _letter(index: int) -> str:
    """``a`` to ``z``, then ``(27)`` and so on."""
    return ascii_lowercase[index] if index < len(ascii_lowercase) else f"({index + 1})"
