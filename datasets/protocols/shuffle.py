"""Seeded orders and draws that do not depend on any library's random generator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hashbench.core.seeds import derive_seed

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def shuffled(positions: NDArray[np.int64], seed: int, *, purpose: str) -> NDArray[np.int64]:
    """Put positions into a random order that depends only on the seed and the purpose.

    Each position gets a 64-bit key (the SplitMix64 mixer, a bijection, so no two keys are equal)
    and the positions are sorted by it. Generators of numpy or torch may change their stream from
    one release to the next; a protocol may not. Two lists that share positions get them in the
    same relative order, so a smaller draw is part of a larger one.

    Args:
        positions: int64 (N,), all different, none negative.
        seed: The protocol's or subset's seed.
        purpose: What is drawn; equal seeds with different purposes give different orders.

    Returns:
        int64 (N,): the same positions in the new order.
    """
    return positions[np.argsort(_keys(positions, seed, purpose=purpose))]


def seeded_order(count: int, seed: int, *, purpose: str) -> NDArray[np.int64]:
    """Return the positions 0 to ``count - 1`` in the order of `shuffled`."""
    return shuffled(np.arange(count, dtype=np.int64), seed, purpose=purpose)


def first_of_classes(
    order: NDArray[np.int64], numbers: NDArray[np.int64], *, sizes: Mapping[int, int]
) -> NDArray[np.int64]:
    """Take the first images of each class in an order.

    Args:
        order: int64 (N,), positions of images.
        numbers: int64 (N,), their classes, in the same order.
        sizes: Images to take, by class; a class that has fewer gives all of them.

    Returns:
        int64, rising positions.
    """
    fronts = [order[numbers == number][:size] for number, size in sizes.items()]
    return np.sort(np.concatenate(fronts))


def uniform(positions: NDArray[np.int64], seed: int, *, purpose: str) -> NDArray[np.float64]:
    """Draw a number for each position that depends only on it, the seed and the purpose.

    Args:
        positions: int64 (N,), none negative; equal positions get equal numbers.
        seed: As for `shuffled`.
        purpose: As for `shuffled`.

    Returns:
        float64 (N,), uniform in [0, 1): multiples of 2^-53.
    """
    upper = _keys(positions, seed, purpose=purpose) >> np.uint64(11)
    return upper.astype(np.float64) * 2.0**-53


def _keys(positions: NDArray[np.int64], seed: int, *, purpose: str) -> NDArray[np.uint64]:
    keys = positions.astype(np.uint64) * _GOLDEN + np.uint64(derive_seed(seed, purpose))
    keys = (keys ^ (keys >> np.uint64(30))) * _FIRST
    keys = (keys ^ (keys >> np.uint64(27))) * _SECOND
    return keys ^ (keys >> np.uint64(31))
