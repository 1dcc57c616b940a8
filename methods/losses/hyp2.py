"""HyP2: learnable class proxies on the sphere, and a push between images that share no label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

import torch
from pydantic import Field
from torch import Tensor, nn

from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.pairs import similar_pairs
from hashbench.methods.building_blocks.primitives import masked_mean, unit_rows
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms

# Least distances of the codes in the authors' table, by code length, for the dimensions 4 to 7:
# 9 to 16, 17 to 32, 33 to 64 and 65 to 128 classes.
_DISTANCES: Final[Mapping[int, tuple[int, int, int, int]]] = {
    12: (6, 4, 4, 4),
    16: (8, 8, 6, 6),
    24: (12, 12, 10, 10),
    32: (16, 16, 16, 14),
    36: (18, 17, 16, 16),
    48: (24, 24, 24, 22),
    64: (33, 32, 32, 32),
    96: (50, 48, 48, 48),
    128: (68, 64, 64, 64),
}
_FIRST_DIMENSION: Final = 4


class ThresholdSource(StrEnum):
    """The origin of a threshold."""

    TABLE = "authors' table"
    BOUND = "bound, not the authors' table"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class ProxyThreshold:
    """The threshold zeta, in [-1, 1], and its origin: the cosine down to which HyP2 pushes."""

    value: float
    source: ThresholdSource

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.source})"


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

        presets: ClassVar = {
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
        """Compute the loss of one batch."""
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
        """Return the threshold and its origin, which the printed loss shows."""
        return f"threshold={self.threshold}" if hasattr(self, "threshold") else ""

    def _excess(self, cosines: Tensor) -> Tensor:
        return (cosines - self.threshold.value).clamp_min(0)


def unlike_pairs(labels: Tensor) -> Tensor:
    """Return which pairs, bool (n, n), are of images with several labels each and none in common.

    Labels are multi-hot, (n, classes); the diagonal is False.
    """
    several = labels.sum(1) > 1
    return several[:, None] & several & ~similar_pairs(labels, labels)


def proxy_threshold(*, bits: int, classes: int) -> ProxyThreshold:
    """Return zeta = 1 - 2d/K, d the least distance of a binary linear code of a word a class.

    It is the cosine of two codes as far apart as those of a linear code can be. The code has length
    K and dimension max(1, ceil(log2 C)). Its d is the authors' where their table has it (9 to 128
    classes at 12, 16, 24, 32, 36, 48, 64, 96 or 128 bits), otherwise the Griesmer bound, which a
    code does not always reach: zeta may then be slightly too small.

    Raises:
        ConfigError: If the code length is too short to give each class a word.

    Example:
        >>> str(proxy_threshold(bits=64, classes=10))
        "-0.0312 (authors' table)"
        >>> str(proxy_threshold(bits=64, classes=200))
        "0.0312 (bound, not the authors' table)"
    """
    # The exact integer form of ceil(log2 C), which in floating point may be one too many.
    dimension = max(1, (classes - 1).bit_length())
    if bits < dimension:
        raise ConfigError(
            f"hyp2: {bits} bits have no {classes} different codes; use {dimension} bits or more"
        )
    distance = _tabled_distance(bits, dimension)
    source = ThresholdSource.TABLE if distance else ThresholdSource.BOUND
    distance = distance or griesmer_distance(length=bits, dimension=dimension)
    return ProxyThreshold(1 - 2 * distance / bits, source)


def griesmer_length(*, distance: int, dimension: int) -> int:
    """Return the Griesmer bound sum_{i<k} ceil(d / 2^i) on the length of a binary linear code.

    Its 2^k words, k the dimension, have the least distance d.
    """
    return sum(-(-distance // 2**i) for i in range(dimension))


def griesmer_distance(*, length: int, dimension: int) -> int:
    """Return the largest least distance d, 1 or more, that the Griesmer bound allows.

    The words have ``length`` bits, at least as many as the dimension.
    """
    distance = 1
    while griesmer_length(distance=distance + 1, dimension=dimension) <= length:
        distance += 1
    return distance


def _tabled_distance(bits: int, dimension: int) -> int | None:
    row = _DISTANCES.get(bits, ())
    column = dimension - _FIRST_DIMENSION
    return row[column] if 0 <= column < len(row) else None
