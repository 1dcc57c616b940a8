"""Holm's correction: many tests, and still few false alarms."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false rejection stays at the level asked for.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 1979. It needs no independence of the tests.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]

    Args:
        p_values: One a test, each in [0, 1].

    Returns:
        Adjusted p-values in the order given, each at least its own and at most 1.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
