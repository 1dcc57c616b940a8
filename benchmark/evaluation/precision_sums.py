"""Sums of the precisions at relevant ranks over a run of places inside one tie group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.evaluation.harmonic import harmonic_step
from hashbench.evaluation.names import Ties


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
        """The same with a second axis of length 1, to broadcast against (Q, X)."""
        return Places(self.items_before[:, None], self.hits_before[:, None], self.count[:, None])


def precision_sum(
    places: Places, ties: Ties, *, size: NDArray[np.float64], hits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of precisions at the relevant ranks of a run.

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
        return _expected(places, size=size, hits=hits)
    if ties is Ties.BEST:
        return _consecutive(places.items_before, places.hits_before, hits)
    return _consecutive(places.items_before + size - hits, places.hits_before, hits)


def _expected(
    places: Places, *, size: NDArray[np.float64], hits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(r/n) ((R+1) dH + a (m - (N+1) dH)) with dH = H[N+m] - H[N] and a = (r-1)/(n-1).

    At place t of a random order an item is relevant with probability r/n and then has
    (t-1)(r-1)/(n-1) relevant items of the group before it. With n = 1 there are none.
    """
    return gain_sum(places, places.hits_before, np.float64(1), size=size, hits=hits)


def gain_sum(
    places: Places,
    gains_before: NDArray[np.float64],
    mean_gain: NDArray[np.float64] | np.float64,
    *,
    size: NDArray[np.float64],
    hits: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Expected sum of the mean gains of the first i items, over the relevant ranks i of a run.

    With G the gains before, g the mean gain of a relevant item of the run and a = (r-1)/(n-1):
    (r/n) ((G+g) dH + a g (m - (N+1) dH)). Gains of 1 make it the sum of precisions.

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
    """Sum of (R+t)/(N+t) over t = 1 to x, as x - (N-R) (H[N+x] - H[N])."""
    return np.asarray(hits - (items_before - hits_before) * harmonic_step(items_before, hits))
