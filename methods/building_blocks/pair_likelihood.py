"""The likelihood of similar pairs that DPSH, DHN and DBDH share."""

from __future__ import annotations

from torch import Tensor

from hashbench.methods.building_blocks.pairs import PairWeight, pair_mean, similar_pairs
from hashbench.methods.building_blocks.partners import Partners
from hashbench.methods.building_blocks.primitives import logit_nll


def pair_likelihood(
    outputs: Tensor, labels: Tensor, *, partners: Partners, weight: PairWeight
) -> Tensor:
    """Mean over pairs of log(1 + exp(theta_ij)) - s_ij theta_ij, theta_ij = <u_i, u_j> / 2.

    theta is not clipped: the likelihood is stable as it is, and a clipped pair has no gradient.

    Args:
        outputs: (n, bits), of the batch.
        labels: (n, classes), multi-hot.
        partners: The second images of the pairs.
        weight: How similar and dissimilar pairs weigh.

    Returns:
        A scalar with gradient; 0 if no pair counts.
    """
    similar = similar_pairs(labels, partners.labels)
    losses = logit_nll(outputs @ partners.outputs.T / 2, similar)
    return pair_mean(losses, similar, weight=weight, valid=partners.valid)
