"""The mean of paired differences, with an interval that is valid for few seeds and many queries.

A difference d[s, q] between two methods varies between seeds s and between queries q. The mean over
*new seeds and new queries* is estimated, so both kinds of variation count:

    d[s, q] = mean + seed[s] + query[q] + rest[s, q]

Resampling three seeds with replacement, as a plain nested bootstrap does, has a third too little
variance and ignores how uncertain a variance from three seeds is: its 95 % interval covers 75 %
where seeds matter. Seeds and queries are therefore treated differently:

* **Queries**, of which there are many, are resampled with replacement, each with its differences
  under all seeds. The part that an analysis of variance assigns to the rest is removed from the
  draws, since the seeds' means contain it too.
* **Seeds**, of which there are few, add a normal error with the variance of the seeds' means.
* **Both are studentised** (Welch and Satterthwaite): the sum is scaled by Student's factor, with
  the degrees of freedom of the two variances together. Only for these degrees of freedom the seeds'
  variance is replaced by its 70 % upper bound. Without that, three seeds that happen to agree give
  an interval that covers 92 %; with it, the interval covers 94 to 97 %.

So with S seeds the interval is near Student's with S - 1 degrees of freedom where seeds matter, and
near the bootstrap of the queries where they do not. With one seed the interval is over queries
alone, and `Effect.over` says so. With one query (a quantity without queries, such as a training
time) it is Student's alone. ``python tools/interval_coverage.py`` measures how often the interval
covers the true mean; results/coverage.json holds the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtr
from scipy.stats import chi2
from scipy.stats import t as student

from hashbench.core.errors import DataError

DRAWS: Final = 4000
LEVEL: Final = 0.95
_BLOCK: Final = 1 << 22  # numbers that a block of resampling may hold
_MATRIX: Final = 2
_CAUTION: Final = 0.3  # 1 - the level of the bound on the seeds' variance


@dataclass(frozen=True, slots=True)
class Effect:
    """A mean difference with its interval and p-value.

    Attributes:
        mean: The mean difference.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: Confidence level of the interval.
        p: Two-sided p-value of "the true mean is 0".
        seeds: Number of seeds.
        queries: Number of queries.
    """

    mean: float
    low: float
    high: float
    level: float
    p: float
    seeds: int
    queries: int

    @property
    def over(self) -> str:
        """The populations that the interval generalises to."""
        if self.seeds == 1:
            return "queries only (one seed)"
        return "seeds" if self.queries == 1 else "seeds and queries"


@dataclass(frozen=True, slots=True, eq=False)
class _MeanDistribution:
    """The distribution of the true mean: resampled queries and normal seeds, studentised.

    Attributes:
        mean: The centre.
        queries: float64 (draws,), errors from the choice of queries.
        scale: Standard error from the choice of seeds.
        freedom: Degrees of freedom of both together.
        stretch: float64 (draws,), Student's factors.
    """

    mean: float
    queries: NDArray[np.float64]
    scale: float
    freedom: float
    stretch: NDArray[np.float64]

    def below(self, value: float) -> float:
        """The probability that the true mean is below a value."""
        if self.scale == 0.0:
            error = float(self.queries.std())
            if error == 0.0:
                return 0.5 + 0.5 * float(np.sign(value - self.mean))
            return float(student.cdf((value - self.mean) / error, self.freedom))
        gap = (value - self.mean) / self.stretch - self.queries
        return float(ndtr(gap / self.scale).mean())

    def quantile(self, share: float) -> float:
        """The value that the true mean is below with a probability."""
        if self.scale == 0.0:
            return self.mean + float(np.quantile(self.queries * self.stretch, share))
        error = float(np.hypot(self.scale, self.queries.std()))
        reach = 4 * error * abs(float(student.ppf(share, max(1.0, self.freedom))))
        while not self.below(self.mean - reach) < share < self.below(self.mean + reach):
            reach *= 2
        low, high = self.mean - reach, self.mean + reach
        return float(brentq(lambda value: self.below(value) - share, low, high))


def paired_bootstrap(
    differences: NDArray[np.float64],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
    null: float = 0.0,
) -> Effect:
    """The mean of paired differences over seeds and queries, with its interval.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> effect = paired_bootstrap(0.1 + 0.01 * rng.standard_normal((3, 200)))
        >>> effect.low < 0.1 < effect.high and effect.p < 0.01
        True

    Args:
        differences: float64 (seeds, queries), one method's value minus the other's.
        seed: Of the resampling; equal input gives an equal result.
        draws: Resamples of the queries.
        level: Of the interval.
        null: The mean that ``p`` tests.

    Raises:
        DataError: If the array is not (seeds, queries), has fewer than two values, or one is not
            finite.
    """
    _check(differences)
    seeds, queries = differences.shape
    rng = np.random.default_rng(seed)
    found = _query_draws(differences, draws, rng)
    distribution = _mean_distribution(found, differences.mean(axis=1), queries, rng)
    return _effect(distribution, (seeds, queries), level=level, null=null)


def unpaired_bootstrap(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Effect:
    """The mean difference of two methods that answered different queries; seeds are paired.

    Args:
        first: float64 (seeds, queries) of one method.
        second: float64 (seeds, other queries) of the other.
        seed: Of the resampling.
        draws: Resamples of each method's queries.
        level: Of the interval.

    Raises:
        DataError: If an array is not (seeds, queries) or the numbers of seeds differ.
    """
    _check(first)
    _check(second)
    if len(first) != len(second):
        raise DataError(
            f"comparison: {len(first)} seeds against {len(second)}; take the common ones"
        )
    rng = np.random.default_rng(seed)
    gaps = first.mean(axis=1) - second.mean(axis=1)
    found = _query_draws(first, draws, rng) - _query_draws(second, draws, rng)
    queries = min(first.shape[1], second.shape[1])
    distribution = _mean_distribution(found, gaps, queries, rng)
    return _effect(distribution, (len(first), queries), level=level, null=0.0)


def _check(values: NDArray[np.float64]) -> None:
    if values.ndim != _MATRIX or values.size < _MATRIX:
        raise DataError(
            f"comparison: needs at least two values (seeds, queries), got shape {values.shape}"
        )
    if not bool(np.isfinite(values).all()):
        raise DataError("comparison: a value is NaN or infinite")


def _query_draws(
    values: NDArray[np.float64], draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw errors of the mean from the choice of queries: float64 (draws,), around zero."""
    queries = values.shape[1]
    if queries == 1:
        return np.zeros(draws)
    effects = values.mean(axis=0)
    effects = (effects - effects.mean()) * _share_of_queries(values)
    found = []
    for begin in range(0, draws, block := max(1, _BLOCK // queries)):
        size = min(block, draws - begin)
        found.append(effects[rng.integers(0, queries, (size, queries))].mean(axis=1))
    return np.concatenate(found)


def _share_of_queries(values: NDArray[np.float64]) -> float:
    """The factor that reduces the query means to the part that varies with queries alone.

    It is the root of the variance component over the mean square, with the factor Q / (Q - 1) that
    resampling lacks.
    """
    seeds, queries = values.shape
    correction = queries / (queries - 1)
    means = values.mean(axis=0)
    between = float(means.var(ddof=1))
    if seeds == 1 or between == 0.0:
        return float(np.sqrt(correction))
    rest = values - means - values.mean(axis=1, keepdims=True) + values.mean()
    error = float((rest**2).sum()) / ((seeds - 1) * (queries - 1))
    return float(np.sqrt(max(0.0, 1 - error / seeds / between) * correction))


def _mean_distribution(
    draws: NDArray[np.float64],
    by_seed: NDArray[np.float64],
    queries: int,
    rng: np.random.Generator,
) -> _MeanDistribution:
    mean, seeds = float(by_seed.mean()), len(by_seed)
    scale = float(by_seed.std(ddof=1)) / float(np.sqrt(seeds)) if seeds > 1 else 0.0
    # Seeds that are equal up to rounding, as for a deterministic method, count as equal.
    scale = scale if scale > np.finfo(np.float64).eps * float(np.abs(by_seed).max()) else 0.0
    freedom = _freedom(scale**2, float(draws.var()), seeds, queries)
    # Every quantile once, in random order, which is less noisy than random numbers.
    shares = (rng.permutation(len(draws)) + 0.5) / len(draws)
    stretch = np.sqrt(freedom / (2 * gammaincinv(freedom / 2, shares)))  # of a chi-square
    return _MeanDistribution(mean, draws, scale, freedom, stretch)


def _freedom(of_seeds: float, of_queries: float, seeds: int, queries: int) -> float:
    """Satterthwaite's degrees of freedom of the sum of two squared errors."""
    if of_seeds == 0.0:
        return float(max(1, queries - 1))
    bound = of_seeds * (seeds - 1) / float(chi2.ppf(_CAUTION, seeds - 1))
    among_queries = of_queries**2 / max(1, queries - 1)
    return (bound + of_queries) ** 2 / (bound**2 / (seeds - 1) + among_queries)


def _effect(
    distribution: _MeanDistribution, shape: tuple[int, int], *, level: float, null: float
) -> Effect:
    tail = (1 - level) / 2
    below = distribution.below(null)
    p = min(1.0, 2 * min(below, 1 - below))
    low, high = distribution.quantile(tail), distribution.quantile(1 - tail)
    return Effect(distribution.mean, low, high, level, p, *shape)
