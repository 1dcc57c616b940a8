"""SSDH: outputs follow the pairs of images that are surely near or surely far by their features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.feature_directions import FeatureLoss
from hashbench.methods.building_blocks.pairs import PairWeight
from hashbench.methods.building_blocks.primitives import masked_mean
from hashbench.methods.interface import HashBatch, LossContext, LossTerms

_BLOCK = 512  # rows of the distances that are made at once


class HistogramRange(StrEnum):
    """The range of the bins: ``data``: smallest to greatest distance; ``unit``: 0 to 1."""

    DATA = "data"
    UNIT = "unit"


class SSDH(FeatureLoss):
    r"""Semantic Structure-based unsupervised Deep Hashing (Yang et al., IJCAI 2018).

    (Not the supervised method of the same letters.) With outputs u (n, K), h_i = tanh(u_i),
    features f of the training set before training, d_ij = 1 - cos(f_i, f_j), over all ordered pairs
    of the batch::

        S_ij = 1   if d_ij < M - a sd_l
               -1  if d_ij > M + c sd_r
               0   otherwise
        L    = mean_ij |S_ij| (<h_i, h_j>/K - S_ij)^2

    M is the lower edge of the fullest of 100 bins of the distances of all pairs i != j; sd_l is the
    standard deviation of those up to M joined with their mirror images at M, sd_r that of those
    beyond M and theirs (see `distance_spread`; both Gaussians have the mean M). With more than
    ``sample`` images, M and the deviations are those of as many drawn at random. S is made batch by
    batch from the features. Defaults are the published a = c = 2.

    Ours: the features' mean is subtracted, and the bins cover the range of the distances, as many
    of them are above 1 then. The authors' bins are of width 0.01 on [0, 1], on features as they
    are (preset ``paper``). Features are those of the pre-pass, so S stays fixed. Pairs with S = 0
    count in the mean; ``pair_weight: balanced`` is the mean over pairs with S = 1 plus that over
    pairs with S = -1. Labels are never read.

    Term: ``pair``.
    """

    class Params(BaseParams):
        """Parameters of `SSDH`.

        Attributes:
            near: a, deviations below M from which on a pair is similar.
            far: c, deviations above M from which on a pair is dissimilar.
            bins: Bins of the histogram.
            histogram: The range of the bins.
            sample: Images that M and the deviations are taken from, at most all.
            centre: Whether the mean of the training set's features is subtracted.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        near: float = Field(2.0, ge=0)
        far: float = Field(2.0, ge=0)
        bins: int = Field(100, ge=1)
        histogram: HistogramRange = HistogramRange.DATA
        sample: int = Field(10_000, ge=2, le=10_000)
        centre: bool = True
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar = {
            "paper": {
                "near": 2.0,
                "far": 2.0,
                "bins": 100,
                "histogram": "unit",
                "sample": 10_000,
                "centre": False,
                "pair_weight": "none",
            },
        }

    info = ComponentInfo(
        title="Semantic Structure-based unsupervised Deep Hashing",
        paper="Yang et al., IJCAI 2018",
        citation="yang2018ssdh",
        supervision=Supervision.NONE,
    )
    params: Params
    thresholds: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Compute the directions of the features, float32 (N, D), and both thresholds."""
        super().setup(ctx)
        thresholds = self._thresholds(self.directions, ctx.generator)
        # Not in a checkpoint: they follow from what every run is given again.
        self.register_buffer("thresholds", thresholds.to(ctx.device), persistent=False)

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        codes = torch.tanh(batch.outputs)
        target = self.similarity(batch.indices)
        gaps = (codes @ codes.T / codes.shape[1] - target).square()
        if self.params.pair_weight is PairWeight.BALANCED:
            pair = masked_mean(gaps, target > 0) + masked_mean(gaps, target < 0)
        else:
            pair = (target.abs() * gaps).mean()
        return LossTerms({"pair": pair})

    def similarity(self, indices: Tensor) -> Tensor:
        """Return S, (n, n) of -1, 0 and 1, between the images at positions ``indices``."""
        directions = self.directions[indices]
        distances = 1 - directions @ directions.T
        near, far = distances < self.thresholds[0], distances > self.thresholds[1]
        return near.to(distances.dtype) - far.to(distances.dtype)

    def _thresholds(self, directions: Tensor, generator: torch.Generator) -> Tensor:
        """Return the distances, (2,), below and above which pairs count."""
        if len(directions) > self.params.sample:
            drawn = torch.randperm(len(directions), generator=generator)[: self.params.sample]
            directions = directions[drawn.to(directions.device)]
        spread = distance_spread(directions, bins=self.params.bins, over=self.params.histogram)
        low = spread.peak - self.params.near * spread.left
        high = spread.peak + self.params.far * spread.right
        return torch.tensor([low, high], dtype=directions.dtype)


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

    Of several fullest bins the lowest counts. Distances outside the range ``over`` still
    count for the Gaussians. The deviation of a side without a distance is 0; without any pair, the
    peak is 0 and both deviations are infinite.
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
    """Yield the distances of each row to all others in blocks, as flat float64 tensors."""
    everyone = torch.arange(len(directions), device=directions.device)
    for own in torch.split(everyone, _BLOCK):
        distances = 1 - (directions[own] @ directions.T).double()
        yield distances[own[:, None] != everyone]


def _extent(directions: Tensor) -> tuple[float, float]:
    """Return the smallest and the greatest distance."""
    ends = [(float(block.min()), float(block.max())) for block in _distances(directions)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _peak(directions: Tensor, *, bins: int, low: float, high: float) -> float:
    """Return the lower edge of the fullest of equal bins on [low, high]."""
    if high <= low:
        return low
    width = (high - low) / bins
    counts = torch.zeros(bins, dtype=torch.int64, device=directions.device)
    for distances in _distances(directions):
        inside = distances[(distances >= low) & (distances <= high)]
        places = ((inside - low) / width).long().clamp_max(bins - 1)
        counts += places.bincount(minlength=bins)
    return low + width * int(counts.argmax())
