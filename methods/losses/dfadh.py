"""DFADH: likelihood and difference losses on a label similarity corrected by deep features."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.feature_directions import FeatureLoss
from hashbench.methods.building_blocks.pairs import PairWeight, pair_mean, similar_pairs
from hashbench.methods.building_blocks.primitives import logit_nll, off_binary
from hashbench.methods.interface import HashBatch, LossContext, LossTerms


class DFADH(FeatureLoss):
    r"""Deep feature attended deep hashing, our reconstruction: no formula of it is public.

    The source says that label co-occurrence gives a similarity for single- and multi-label data,
    that deep-feature similarity corrects it, and that a likelihood loss is joined with a loss of
    the similarities' difference. Ours, over the pairs i != j of a batch, with outputs u (n, K),
    h_i = tanh(u_i), s_ij = 1 if two images share a label::

        R_cd  = n_cd / sqrt(n_c n_d)             over the training labels;  Rt = (1 - rho) I + rho R
        sL_ij = y_i Rt y_j / sqrt((y_i Rt y_i) (y_j Rt y_j))
        sF_ij = max(0, <g_i, g_j>)               g: features before training, centred, of norm 1
        a_ij  = a_h + 4 (a_s - a_h) sL_ij (1 - sL_ij)
        S_ij  = (1 - a_ij) sL_ij + a_ij sF_ij    the corrected similarity

        L     = L_lik + beta L_sd + lambda mean_ik (|h_ik| - 1)^2
        L_lik = sum_{s=1} S_ij nll_ij / sum_{s=1} S_ij
                + sum_{s=0} (1 - S_ij) nll_ij / sum_{s=0} (1 - S_ij)
        L_sd  = mean_{s=1} (max(c_ij, 0) - S_ij)^2 + mean_{s=0} (max(c_ij, 0) - S_ij)^2
        nll_ij = log(1 + exp(theta_ij)) - s_ij theta_ij,  theta_ij = <h_i, h_j> / 2,
        c_ij = <h_i, h_j> / K

    S weighs the likelihood instead of being its target, whose optimum would be nearly orthogonal
    codes; the cosine is cut at 0 because not all classes can be opposite to each other. Defaults:
    rho = 0.3, a_s = 0.3 (where the labels are most ambiguous), a_h = 0.05 (where they are
    unequivocal), beta = 5, lambda = 0.1. On single-label data sL is 0 or 1. ``pair_weight: none``
    takes one mean over all pairs in L_lik and in L_sd. A sum or mean over no pair is left out.

    An image without a label has sL = 0 with all others, and shares a label with none.

    Terms: ``likelihood``, ``difference`` (weight beta) and ``quantisation`` (weight lambda).
    """

    class Params(BaseParams):
        """Parameters of `DFADH`.

        Attributes:
            cooccurrence: rho, how much labels that occur together count as alike.
            ambiguous_correction: a_s, the share of deep features at sL = 1/2.
            certain_correction: a_h, their share at sL = 0 and sL = 1.
            likelihood: Weight of L_lik; 0 is an ablation.
            difference: beta.
            quantisation: lambda.
            pair_weight: The weighting of similar and dissimilar pairs.
        """

        cooccurrence: float = Field(0.3, ge=0, le=1)
        ambiguous_correction: float = Field(0.3, ge=0, le=1)
        certain_correction: float = Field(0.05, ge=0, le=1)
        likelihood: float = Field(1.0, ge=0)
        difference: float = Field(5.0, ge=0)
        quantisation: float = Field(0.1, ge=0)
        pair_weight: PairWeight = PairWeight.BALANCED

        presets: ClassVar = {
            "no_cooccurrence": {"cooccurrence": 0.0},
            "no_features": {"ambiguous_correction": 0.0, "certain_correction": 0.0},
            "likelihood_only": {"difference": 0.0},
            "difference_only": {"likelihood": 0.0},
            "unbalanced": {"pair_weight": "none"},
        }

    info = ComponentInfo(
        title="Deep Feature Attended Deep Hashing",
        paper="master's thesis; no paper of that title found",
        citation="dfadh_thesis",
        supervision=Supervision.LABELS,
        reconstruction=True,
    )
    params: Params
    cooccurrence: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Count the labels, (classes, classes), and compute the features' directions, (N, D)."""
        super().setup(ctx)
        counted = damped_cooccurrence(ctx.labels, self.params.cooccurrence)
        # Not in a checkpoint: it follows from what every run is given again.
        self.register_buffer("cooccurrence", counted.to(ctx.device), persistent=False)

    def corrected_similarity(self, labels: Tensor, indices: Tensor) -> Tensor:
        """Return S of a batch, (n, n) in [0, 1], symmetric.

        Args:
            labels: (n, classes), multi-hot.
            indices: int64 (n,), positions in the training set.
        """
        of_labels = cooccurrence_similarity(labels, self.cooccurrence)
        directions = self.directions[indices]
        of_features = (directions @ directions.T).clamp(0, 1)
        certain, ambiguous = self.params.certain_correction, self.params.ambiguous_correction
        share = certain + 4 * (ambiguous - certain) * of_labels * (1 - of_labels)
        return (1 - share) * of_labels + share * of_features

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        codes = torch.tanh(batch.outputs)
        products = codes @ codes.T
        target = self.corrected_similarity(batch.labels, batch.indices)
        similar = similar_pairs(batch.labels, batch.labels)
        others = ~torch.eye(len(codes), dtype=torch.bool, device=codes.device)
        losses = logit_nll(products / 2, similar)
        differences = ((products / codes.shape[1]).clamp_min(0) - target).square()
        balance = self.params.pair_weight
        terms = {
            "likelihood": _likelihood(losses, target, similar=similar, valid=others, by=balance),
            "difference": pair_mean(differences, similar, weight=balance, valid=others),
            "quantisation": off_binary(codes, 2).mean(),
        }
        return LossTerms(terms, {name: float(getattr(self.params, name)) for name in terms})


def damped_cooccurrence(labels: Tensor, damping: float) -> Tensor:
    """Return how alike classes are: (1 - rho) I + rho R, R_cd = n_cd / sqrt(n_c n_d).

    n_cd counts the images with both classes, n_c those with one; R is 0 for a class without images.
    Single-label data give the identity.

    The result, float32 (classes, classes), is symmetric, and positive definite for a damping
    rho < 1; with rho = 0 all classes are unlike.
    """
    counts = labels.double().T @ labels.double()
    sizes = counts.diagonal()
    scale = (sizes[:, None] * sizes).sqrt()
    together = torch.where(scale > 0, counts / scale.clamp_min(1), 0)
    identity = torch.eye(len(counts), dtype=torch.float64, device=labels.device)
    return ((1 - damping) * identity + damping * together).float()


def cooccurrence_similarity(labels: Tensor, cooccurrence: Tensor) -> Tensor:
    """Return the cosines y_i R y_j / sqrt((y_i R y_i) (y_j R y_j)) of label sets, in [0, 1].

    An image without a label has similarity 0 with every other and 1 with itself.

    The result is (n, n), symmetric, and 1 on the diagonal; R is that of `damped_cooccurrence`.
    """
    product = labels @ cooccurrence.to(labels.dtype) @ labels.T
    shared = (product + product.T) / 2  # the two differ by rounding
    own = shared.diagonal()
    norms = (own[:, None] * own).sqrt()
    cosines = torch.where(norms > 0, shared / torch.where(norms > 0, norms, 1), 0)
    return cosines.clamp(0, 1).fill_diagonal_(1)


def _likelihood(
    losses: Tensor, target: Tensor, *, similar: Tensor, valid: Tensor, by: PairWeight
) -> Tensor:
    weights = torch.where(similar, target, 1 - target)
    if by is PairWeight.NONE:
        return _weighted_mean(losses, weights * valid)
    sides = (weights * (valid & similar), weights * (valid & ~similar))
    return _weighted_mean(losses, sides[0]) + _weighted_mean(losses, sides[1])


def _weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    total = weights.sum()
    return (weights * values).sum() / torch.where(total > 0, total, 1)
