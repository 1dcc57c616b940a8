"""CE: a classifier on the raw outputs, the reference without hashing."""

from __future__ import annotations

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.methods.building_blocks.classifier import ClassifierLoss, label_cross_entropy
from hashbench.methods.interface import HashBatch, LossTerms


class CE(ClassifierLoss):
    r"""Cross entropy, a reference and not a published hashing method.

    With outputs u (n, K), logits o_i = W u_i + b with W (C, K), and targets q_i = y_i / sum(y_i),
    over the images that have a label::

        L = -mean_i sum_c q_ic log softmax(o_i)_c

    It does not prepare the outputs for being reduced to their signs: the gain of a hashing loss is
    its gain over this. Single-label, it is the ordinary cross entropy.

    Several labels share the softmax instead of having a sigmoid each, after the OrthoHash study
    (Hoe et al., NeurIPS 2021), whose 64-bit codes with AlexNet reach an mAP of 0.850 on NUS-WIDE
    and 0.785 on COCO with the softmax, 0.791 and 0.400 with sigmoids.

    Traps avoided: W and b belong to this module, so they are optimised; images without a label are
    skipped.

    Terms: ``classification``.
    """

    info = ComponentInfo(
        title="Cross entropy (a reference, not a published hashing method)",
        paper="no paper of its own; the softmax for several labels is that of the study by "
        "Hoe, Ng, Zhang, Chan, Song and Xiang, NeurIPS 2021",
        citation="hoe2021orthohash",
        supervision=Supervision.LABELS,
    )

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""
        logits = self.classifier(batch.outputs)
        return LossTerms({"classification": label_cross_entropy(logits, batch.labels)})
