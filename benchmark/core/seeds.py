"""One seed a component, derived by hashing, so that no component disturbs another's numbers."""

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
    """Derive a component's seed from the cell's.

    Args:
        seed: The cell's seed as the matrix states it.
        purpose: Which component draws.
        *context: Further distinctions, e.g. the epoch.

    Returns:
        An integer in [0, 2**63).
    """
    return int(digest([seed, str(purpose), *context]), 16) >> (256 - _SEED_BITS)
