"""Pairs within a batch: image i of its first half with image i of its second."""

from __future__ import annotations

from torch import Tensor

from hashbench.methods.building_blocks.primitives import unit_rows


def even_rows(rows: Tensor) -> Tensor:
    """Leave the last row out if their number is odd: it has no partner.

    Args:
        rows: (n, width).

    Returns:
        (n or n - 1, width), a view.
    """
    return rows[: len(rows) // 2 * 2]


def half_cosines(rows: Tensor) -> Tensor:
    """Cosines of the pairs (i, i + n/2).

    Args:
        rows: (n, width), n even.

    Returns:
        (n / 2,); 0 for a pair with a row of zeros.
    """
    directions = unit_rows(rows)
    half = len(rows) // 2
    return (directions[:half] * directions[half:]).sum(1)


def cosine_gap(codes: Tensor, features: Tensor) -> Tensor:
    """Mean over the pairs (i, i + n/2) of the squared difference of two cosines.

    Args:
        codes: (n, bits), n even.
        features: (n, D), of the same images.

    Returns:
        A scalar with gradient; 0 if there is no pair.
    """
    gaps = (half_cosines(codes) - half_cosines(features)).square()
    return gaps.sum() / max(len(gaps), 1)
