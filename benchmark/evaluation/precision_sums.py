"""Expected sums over a run of ranks inside one tie group, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.names import Ties
from hashbench.evaluation.series import harmonic_step

# Hoeffding: P(|X - E X| >= w) <= 2 exp(-2 w^2 / s) for s draws, so beyond w = sqrt(s) * this all
# weights together are below 1e-20, far under a double's last bit of anything they multiply.
_WIDTH = math.sqrt(math.log(2 / 1e-20) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A run of ranks, N+1 to N+m; float64 arrays of one shape, whole numbers.

    Attributes:
        items_before: N, items ranked before.
        hits_before: R, relevant items ranked before.
        count: m, the ranks of the run.
    """

    items_before: NDArray[np.float64]
    hits_before: NDArray[np.float64]
    count: NDArray[np.float64]

    def as_column(self) -> Places:
        """Add a second axis of length 1, to broadcast against (Q, X)."""
        return Places(self.items_before[:, None], self.hits_before[:, None], self.count[:, None])


def precision_sum(
    places: Places, ties: Ties, *, size: NDArray[np.float64], hits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the precisions at the relevant ranks of a run.

    The run holds items drawn from ``size`` items, ``hits`` of them relevant. ``expected``: in
    random order. ``best`` and ``worst`` need ``size`` equal to the run's length, and have the hits
    first or last.

    Args:
        places: The run.
        ties: The order.
        size: n, items drawn from, at least the run's length.
        hits: r, relevant items among them.

    Returns:
        float64, of the shape that the arguments broadcast to.
    """
    if ties is Ties.EXPECTED:
        return gain_sum(places, places.hits_before, np.float64(1), size=size, hits=hits)
    if ties is Ties.BEST:
        return _consecutive(places.items_before, places.hits_before, hits)
    return _consecutive(places.items_before + size - hits, places.hits_before, hits)


def gain_sum(
    places: Places,
    gains_before: NDArray[np.float64],
    mean_gain: NDArray[np.float64] | np.float64,
    *,
    size: NDArray[np.float64],
    hits: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Expected sum of the mean gains of the first i items, over the relevant ranks i of a run.

    At place t of a random order an item is relevant with probability r/n and then has
    (t-1)(r-1)/(n-1) relevant items of the group before it; with n = 1 there are none. With G the
    gains before, g the mean gain of a relevant item, dH = H[N+m] - H[N] and a = (r-1)/(n-1) the
    sum is (r/n) ((G+g) dH + a g (m - (N+1) dH)). Gains of 1 make it the sum of precisions.

    Args:
        places: The run; its items are in random order.
        gains_before: G, the sum of gains ranked before.
        mean_gain: g; any number where there is no relevant item.
        size: n, items drawn from, at least the run's length.
        hits: r, relevant items among them.

    Returns:
        float64, of the shape that the arguments broadcast to.
    """
    step = harmonic_step(places.items_before, places.count)
    other = np.where(size > 1, (hits - 1) / np.maximum(size - 1, 1), 0)
    first = (gains_before + mean_gain) * step
    rest = mean_gain * other * (places.count - (places.items_before + 1) * step)
    return np.asarray(hits / np.maximum(size, 1) * (first + rest))


def _consecutive(
    items_before: NDArray[np.float64], hits_before: NDArray[np.float64], hits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum (R+t)/(N+t) over t = 1 to x, as x - (N-R) (H[N+x] - H[N])."""
    return np.asarray(hits - (items_before - hits_before) * harmonic_step(items_before, hits))


def hypergeometric_weights(
    size: NDArray[np.float64], hits: NDArray[np.float64], draws: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the probabilities of the number of hits among items drawn without replacement.

    Weights follow from the ratio of neighbours, outward from the mode, and are normalised: log
    gamma functions would lose five digits.

    Args:
        size: Items in each urn, whole numbers (Q,).
        hits: Hits in each urn, at most ``size``.
        draws: Items drawn, at most ``size``.

    Returns:
        Numbers of hits x and their probabilities, both float64 (Q, W). Impossible x have
        probability 0; those left out have less than 1e-20 together.
    """
    size, hits, draws = (column[:, None] for column in (size, hits, draws))
    mode = np.clip(
        np.floor((draws + 1) * (hits + 1) / (size + 2)),
        np.maximum(0, draws - (size - hits)),
        np.minimum(draws, hits),
    )
    spread = np.minimum(np.minimum(draws, size - draws), np.minimum(hits, size - hits))
    # The mode is within 1 of the mean.
    width = int(np.ceil(_WIDTH * np.sqrt(spread.max(initial=0)))) + 1
    steps = np.arange(width, dtype=np.float64)
    up, down = mode + steps, mode - steps
    misses_left = size - hits - draws
    # At the last possible x a factor is 0, and all weights beyond stay 0.
    rise = (hits - up) * (draws - up) / ((up + 1) * np.maximum(misses_left + up + 1, 1))
    fall = down * (misses_left + down) / ((hits - down + 1) * (draws - down + 1))
    weights = np.concatenate(
        [np.cumprod(fall, axis=1)[:, ::-1], np.ones_like(mode), np.cumprod(rise, axis=1)], axis=1
    )
    x = np.concatenate([down[:, ::-1] - 1, mode, up + 1], axis=1)
    return x, weights / weights.sum(axis=1, keepdims=True)
