"""A loss as version 0.1.0 let one be written: of building blocks at their places of then."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.centres import CentreMethod, centre_refusals, make_centres
from hashbench.methods.classifier import label_cross_entropy, linear_classifier
from hashbench.methods.interface import HashBatch, HashLoss, LossContext, LossTerms
from hashbench.methods.pair_likelihood import pair_likelihood
from hashbench.methods.pairs import PairWeight, labelled
from hashbench.methods.partners import PairPartners, Pairs
from hashbench.methods.primitives import masked_mean, off_binary


class OwnBlocks(HashLoss):
    """A likelihood of pairs, a classifier and drawn centres at once."""

    class Params(BaseParams):
        """Parameters: ``pairs``, what a batch is paired with."""

        pairs: Pairs = Pairs.BUFFER

    info: ClassVar[ComponentInfo] = ComponentInfo("Own blocks", supervision=Supervision.LABELS)
    params: Params
    centres: Tensor
    classifier: nn.Linear

    @classmethod
    def refusals(cls, params, *, bits, settings):
        """Centres that do not exist at this code length."""
        return centre_refusals(CentreMethod.BERNOULLI, bits)

    def setup(self, ctx: LossContext) -> None:
        """Make the classifier, the centres and the buffer."""
        self.classifier = linear_classifier(ctx, bias=True)
        centres = make_centres(
            CentreMethod.BERNOULLI,
            classes=ctx.labels.shape[1],
            bits=ctx.bits,
            generator=ctx.generator,
        )
        self.register_buffer("centres", centres.to(ctx.device))
        self.partners = PairPartners(self.params.pairs, ctx)

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        outputs, labels = batch.outputs, batch.labels
        partners = self.partners(outputs, batch)
        gaps = (outputs - labels @ self.centres).square()
        return LossTerms(
            {
                "pair": pair_likelihood(
                    outputs, labels, partners=partners, weight=PairWeight.BALANCED
                ),
                "class": label_cross_entropy(self.classifier(outputs), labels),
                "centre": masked_mean(gaps, labelled(labels)[:, None]),
                "quantisation": off_binary(outputs).mean(),
            }
        )
