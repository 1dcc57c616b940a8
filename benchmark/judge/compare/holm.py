"""Holm's correction of p-values for many tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the probability of any false rejection stays at the chosen level.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 1979. The tests need not be independent.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]

    Args:
        p_values: One for each test, in [0, 1].

    Returns:
        Adjusted p-values in the same order, each at least as large as before and at most 1.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
