"""Derive a seed for each component by hashing, so that their random numbers are independent."""

from __future__ import annotations

from enum import StrEnum

from hashbench.core.canonical import digest

_SEED_BITS = 63


class Purpose(StrEnum):
    """The independent sources of randomness in a cell."""

    ORDER = "order"
    INITIALISATION = "initialisation"
    AUGMENTATION = "augmentation"
    LOSS = "loss"
    METHOD = "method"


def derive_seed(seed: int, purpose: Purpose | str, *context: int | str) -> int:
    """Derive a component's seed from the cell's seed.

    Args:
        seed: The cell's seed as in the matrix.
        purpose: The component that uses the random numbers.
        *context: Further distinctions, such as the epoch.

    Returns:
        An integer in [0, 2**63).
    """
    return int(digest([seed, str(purpose), *context]), 16) >> (256 - _SEED_BITS)
