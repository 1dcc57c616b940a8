"""SSDH: outputs follow what is surely near and surely far among the features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.distance_histogram import HistogramRange, distance_spread
from hashbench.methods.building_blocks.pairs import PairWeight
from hashbench.methods.building_blocks.prepass_directions import prepass_directions
from hashbench.methods.building_blocks.primitives import masked_mean
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms, Needs


class SSDH(HashLoss):
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
            histogram: What the bins cover.
            sample: Images that M and the deviations are taken from, at most all.
            centre: Whether the mean of the training set's features is subtracted.
            pair_weight: How similar and dissimilar pairs weigh.
        """

        near: float = Field(2.0, ge=0)
        far: float = Field(2.0, ge=0)
        bins: int = Field(100, ge=1)
        histogram: HistogramRange = HistogramRange.DATA
        sample: int = Field(10_000, ge=2, le=10_000)
        centre: bool = True
        pair_weight: PairWeight = PairWeight.NONE

        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
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
    needs: ClassVar[Needs] = Needs(prepass=True)
    params: Params
    directions: Tensor
    thresholds: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Take the features' directions, float32 (N, D), and both thresholds."""
        directions = prepass_directions(ctx, centre=self.params.centre)
        thresholds = self._thresholds(directions, ctx.generator)
        # All follows from what every run is given again, so a checkpoint has no place for it.
        self.register_buffer("directions", directions, persistent=False)
        self.register_buffer("thresholds", thresholds.to(ctx.device), persistent=False)

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        codes = torch.tanh(batch.outputs)
        target = self.similarity(batch.indices)
        gaps = (codes @ codes.T / codes.shape[1] - target).square()
        if self.params.pair_weight is PairWeight.BALANCED:
            pair = masked_mean(gaps, target > 0) + masked_mean(gaps, target < 0)
        else:
            pair = (target.abs() * gaps).mean()
        return LossTerms({"pair": pair})

    def similarity(self, indices: Tensor) -> Tensor:
        """S between some images.

        Args:
            indices: int64 (n,), positions in the training set.

        Returns:
            (n, n), of -1, 0 and 1.
        """
        directions = self.directions[indices]
        distances = 1 - directions @ directions.T
        near, far = distances < self.thresholds[0], distances > self.thresholds[1]
        return near.to(distances.dtype) - far.to(distances.dtype)

    def _thresholds(self, directions: Tensor, generator: torch.Generator) -> Tensor:
        """The distances below and above which pairs count, (2,)."""
        if len(directions) > self.params.sample:
            drawn = torch.randperm(len(directions), generator=generator)[: self.params.sample]
            directions = directions[drawn.to(directions.device)]
        spread = distance_spread(directions, bins=self.params.bins, over=self.params.histogram)
        low = spread.peak - self.params.near * spread.left
        high = spread.peak + self.params.far * spread.right
        return torch.tensor([low, high], dtype=directions.dtype)
