"""A linear classifier as part of a loss, and the cross entropy it is trained with."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashbench.methods.building_blocks.pairs import labelled
from hashbench.methods.building_blocks.primitives import masked_mean
from hashbench.methods.interface import HashLoss, LossContext


class ClassifierLoss(HashLoss):
    """Base of losses with a linear classifier on the outputs or on a function of them.

    Attributes:
        bias: Whether the classifier has a bias.
        classifier: Maps (n, bits) to logits (n, classes).
    """

    bias: ClassVar[bool] = True
    classifier: nn.Linear

    def setup(self, ctx: LossContext) -> None:
        """Make the classifier."""
        self.classifier = linear_classifier(ctx, bias=self.bias)


def linear_classifier(ctx: LossContext, *, bias: bool) -> nn.Linear:
    """Make a linear layer from outputs (n, bits) to logits (n, classes).

    Weights and biases are uniform in +-1/sqrt(bits), as PyTorch initialises a linear layer, but
    drawn from the loss's own generator, not the global one.
    """
    # Made without values: filling them would move the global generator.
    layer = nn.Linear(ctx.bits, ctx.labels.shape[1], bias=bias, device="meta").to_empty(
        device="cpu"
    )
    bound = ctx.bits**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=ctx.generator)
    return layer.to(ctx.device)


def first_label(labels: Tensor) -> Tensor:
    """Keep only the first label of each image, as single-label code does to multi-label data.

    Labels are multi-hot, (n, classes); an image without a label still has none.
    """
    first = functional.one_hot(labels.argmax(1), labels.shape[1])
    return labels * first.to(labels.dtype)


def label_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the softmax cross entropy with the normalised label vector q_i = y_i / sum(y_i).

    L = -mean_i sum_c q_ic log softmax(o_i)_c. Single-label, it is the ordinary cross entropy.
    Images without a label are left out of the mean.

    It is 0 if no image has a label. Logits o and multi-hot labels y are (n, classes).
    """
    shares = labels / labels.sum(1, keepdim=True).clamp_min(1)
    losses = -(shares * functional.log_softmax(logits, dim=1)).sum(1)
    return masked_mean(losses, labelled(labels))
