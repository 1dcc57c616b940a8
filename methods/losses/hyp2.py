"""HyP2: learnable class proxies on the sphere, and a push between images that share no label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import similar_pairs
from hashbench.methods.building_blocks.primitives import masked_mean, unit_rows
from hashbench.methods.building_blocks.proxy_threshold import (
    ProxyThreshold,
    ThresholdSource,
    proxy_threshold,
)
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms


class HyP2(HashLoss):
    r"""HyP2 Loss (Xu, Chai, Xu, Yuan, Fan and Wang, ACM Multimedia 2022).

    With outputs u (n, K), learnable proxies p (C, K) and cos(a, b) = <a, b> / (|a| |b|)::

        L = mean_{y_ic = 1} [ 1 - cos(u_i, p_c) ]
            + mean_{y_ic = 0} max(cos(u_i, p_c) - zeta, 0)
            + beta mean_{(i, j) in P} max(cos(u_i, u_j) - zeta, 0)

    P are the pairs of the batch in which both images have two labels or more and no label in
    common; a mean over nothing is left out. On single-label data P is empty. An image without a
    label is negative for every proxy, as in the authors' code. There is no quantisation term.

    Defaults: beta = 0.5; zeta = 1 - 2d/K, d the least distance of a binary linear code of length K
    and dimension max(1, ceil(log2 C)): from the authors' table where it has the two (9 to 128
    classes; 12, 16, 24, 32, 36, 48, 64, 96 or 128 bits), otherwise the Griesmer bound, and then
    the loss prints itself with "bound, not the authors' table". Proxies start from the Kaiming
    normal distribution with fan-out, which makes their standard deviation sqrt(2/C).

    The authors train the proxies by SGD at a rate of their own, 0.02; here they learn at the
    head's.

    Terms: ``positive``, ``negative`` and ``pair`` (weight beta).
    """

    class Params(BaseParams):
        """Parameters of `HyP2`.

        Attributes:
            pair: beta.
            threshold: zeta; None for the authors' table or else the bound.
        """

        pair: float = Field(0.5, ge=0)
        threshold: float | None = Field(None, ge=-1, le=1)

        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
            "paper": {"pair": 0.5, "threshold": None},
        }

    info = ComponentInfo(
        title="HyP2 Loss",
        paper="Xu, Chai, Xu, Yuan, Fan and Wang, ACM Multimedia 2022",
        citation="xu2022hyp2",
        supervision=Supervision.LABELS,
    )
    params: Params
    proxies: nn.Parameter
    threshold: ProxyThreshold

    def setup(self, ctx: LossContext) -> None:
        """Draw the proxies (classes, bits) and find the threshold."""
        classes = ctx.labels.shape[1]
        given = self.params.threshold
        if given is None:
            self.threshold = proxy_threshold(bits=ctx.bits, classes=classes)
        else:
            self.threshold = ProxyThreshold(given, ThresholdSource.GIVEN)
        drawn = torch.empty(classes, ctx.bits)
        nn.init.kaiming_normal_(drawn, mode="fan_out", generator=ctx.generator)
        self.proxies = nn.Parameter(drawn.to(ctx.device))

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        directions = unit_rows(batch.outputs)
        cosines = directions @ unit_rows(self.proxies).T
        positive = batch.labels > 0
        terms = {
            "positive": masked_mean(1 - cosines, positive),
            "negative": masked_mean(self._excess(cosines), ~positive),
            "pair": masked_mean(
                self._excess(directions @ directions.T), unlike_pairs(batch.labels)
            ),
        }
        return LossTerms(terms, {"pair": self.params.pair})

    def extra_repr(self) -> str:
        """The threshold and where it is from, for whoever prints the loss."""
        return f"threshold={self.threshold}" if hasattr(self, "threshold") else ""

    def _excess(self, cosines: Tensor) -> Tensor:
        return (cosines - self.threshold.value).clamp_min(0)


def unlike_pairs(labels: Tensor) -> Tensor:
    """Which pairs are of two images with several labels each and none in common.

    Args:
        labels: (n, classes), multi-hot.

    Returns:
        bool (n, n), False on the diagonal.
    """
    several = labels.sum(1) > 1
    return several[:, None] & several & ~similar_pairs(labels, labels)
