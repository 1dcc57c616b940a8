"""The commonest distance of unlabelled images, and how distances spread on both sides of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

_BLOCK = 512


class HistogramRange(StrEnum):
    """``data``: from the smallest distance to the greatest; ``unit``: from 0 to 1."""

    DATA = "data"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class DistanceSpread:
    """Two Gaussians around the commonest distance, one for each side of it.

    Attributes:
        peak: M, the lower edge of the histogram's fullest bin, and the mean of both Gaussians.
        left: Standard deviation of the distances up to M together with their mirror images at M.
        right: That of the distances beyond M together with theirs.
    """

    peak: float
    left: float
    right: float


def distance_spread(directions: Tensor, *, bins: int, over: HistogramRange) -> DistanceSpread:
    """Fit both Gaussians to the cosine distances d_ij = 1 - <g_i, g_j> of all pairs i != j.

    Distances and their mirror images at M have the mean M exactly, and their variance is the mean
    of (d - M)^2, so nothing is mirrored here. The N x N distances are made a block of rows at a
    time, for the range, the histogram and the deviations.

    Args:
        directions: (N, D), rows of norm 1 or 0.
        bins: Bins of the histogram. Of several fullest ones the lowest counts.
        over: What the bins cover; distances outside count for the Gaussians all the same.

    Returns:
        The peak and both deviations; a side without a distance has 0. Without any pair, the peak
        is 0 and both deviations are infinite.
    """
    if len(directions) <= 1:
        return DistanceSpread(0.0, math.inf, math.inf)
    ends = (0.0, 1.0) if over is HistogramRange.UNIT else _extent(directions)
    peak = _peak(directions, bins=bins, low=ends[0], high=ends[1])
    totals = torch.zeros(2, 2, dtype=torch.float64)
    for distances in _distances(directions):
        squares, beyond = (distances - peak).square(), distances > peak
        for side, chosen in enumerate((squares[~beyond], squares[beyond])):
            totals[side, 0] += float(chosen.sum())
            totals[side, 1] += len(chosen)
    left, right = (totals[:, 0] / totals[:, 1].clamp_min(1)).sqrt().tolist()
    return DistanceSpread(peak, left, right)


def _distances(directions: Tensor) -> Iterator[Tensor]:
    """Blocks of the distances of each row to all others, as flat float64 tensors."""
    everyone = torch.arange(len(directions), device=directions.device)
    for own in torch.split(everyone, _BLOCK):
        distances = 1 - (directions[own] @ directions.T).double()
        yield distances[own[:, None] != everyone]


def _extent(directions: Tensor) -> tuple[float, float]:
    """The smallest and the greatest distance."""
    ends = [(float(block.min()), float(block.max())) for block in _distances(directions)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _peak(directions: Tensor, *, bins: int, low: float, high: float) -> float:
    """The lower edge of the fullest of equal bins on [low, high]."""
    if high <= low:
        return low
    width = (high - low) / bins
    counts = torch.zeros(bins, dtype=torch.int64, device=directions.device)
    for distances in _distances(directions):
        inside = distances[(distances >= low) & (distances <= high)]
        places = ((inside - low) / width).long().clamp_max(bins - 1)
        counts += places.bincount(minlength=bins)
    return low + width * int(counts.argmax())
