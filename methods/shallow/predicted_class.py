"""A reference that learns no hashing: a classifier, and a code for each class it may predict."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.centres import (
    CentreMethod,
    make_centres,
    merged_centres,
    tie_vector,
)
from hashbench.methods.interface import TrainView
from hashbench.methods.shallow.interface import FeatureMethod

_SMALL = 1e-7  # the gradient's largest entry at the end
_WIDEST = 4096  # dimensions that are never too many: the pixels of photos are 196,608


class PredictedClass(FeatureMethod):
    """Codes of the predicted class: a linear classifier on the features, and one code a class.

    Under the usual protocol, whose queries are of classes trained on, this beats many supervised
    hashing methods (Sablayrolles and others); under one with unseen classes it cannot work. A
    method that does not beat it has shown that it can classify, not that it can hash.

    logits = (f - mean) / s W + b, fitted by cross-entropy; s is the root mean square norm of the
    training features, so that ``decay`` means the same for features of any size. Single-label, the
    code is that of the class with the largest logit. Multi-label, the classes with logits above 0
    are predicted, the largest if there are none, and their codes are merged bit by bit by majority
    vote, as CSQ merges centres. Only classes with training images can be predicted or have a code.

    2^bits must be at least the number of classes.

    Attributes:
        projection: float64 (D, classes), W / s; set by `fit`, as all below.
        offset: float64 (classes,), b.
        codes: float64 (classes, bits) of -1 and +1, of the classes with training images.
        tie: float64 (bits,) of -1 and +1, where a vote is a tie.
        several: bool (), whether an image may have several labels.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            decay: Weight of ||W||^2 / 2 beside the mean loss of an image.
            iterations: Iterations of the fit, at most.
            centres: The way to make the codes of the classes; ``bernoulli`` where there are too few
                bits for codes far apart.
        """

        decay: float = Field(default=1e-4, gt=0, allow_inf_nan=False)
        iterations: int = Field(default=500, ge=1, le=100_000)
        centres: CentreMethod = CentreMethod.MAXHD

    info = ComponentInfo(
        title="Codes of the predicted class",
        paper="Sablayrolles, Douze, Usunier, Jegou, ICASSP 2017",
        citation="sablayrolles2017evaluate",
        supervision=Supervision.LABELS,
    )
    params: Params
    projection: Tensor
    offset: Tensor
    codes: Tensor
    tie: Tensor
    several: Tensor

    def learn_from(self, data: TrainView, centred: Tensor, *, generator: torch.Generator) -> None:
        """Draw the codes and fit the classifier.

        Raises:
            ConfigError: If there are too few bits for so many classes, or no image has a label.
        """
        labels = data.labels.cpu()
        labels = labels[:, labels.any(dim=0)]
        if not labels.shape[1]:
            raise ConfigError("predicted_class learns from labels, and no training image has one")
        codes = make_centres(
            self.params.centres, classes=labels.shape[1], bits=self.bits, generator=generator
        )
        self.codes, self.tie = codes.double(), tie_vector(self.bits, generator).double()
        self.several = torch.tensor(data.multilabel)
        scale = centred.square().sum(dim=1).mean().sqrt().clamp_min(torch.finfo(centred.dtype).tiny)
        weights, self.offset = fit_linear(
            centred / scale,
            labels,
            multilabel=data.multilabel,
            decay=self.params.decay,
            iterations=self.params.iterations,
        )
        self.projection = weights / scale

    def predict(self, centred: Tensor) -> Tensor:
        """Predict the classes of centred features, float64 (N, D).

        The result, (N, classes), is multi-hot over the classes with training images; each row has
        a 1.
        """
        logits = centred @ self.projection + self.offset
        largest = functional.one_hot(logits.argmax(dim=1), logits.shape[1]).double()
        return torch.maximum((logits > 0).double(), largest) if self.several else largest

    def project(self, centred: Tensor) -> Tensor:
        """Map (N, D) to the codes (N, bits) of the predicted classes."""
        return merged_centres(self.predict(centred), centres=self.codes, tie=self.tie)

    def parameters(self) -> int:
        """Return how many numbers the mean, the classifier and the codes have."""
        held = (self.projection, self.offset, self.codes, self.tie)
        return super().parameters() + sum(tensor.numel() for tensor in held)


def fit_linear(
    features: Tensor, labels: Tensor, *, multilabel: bool, decay: float, iterations: int
) -> tuple[Tensor, Tensor]:
    """Fit logits x W + b by L-BFGS from zero; the problem is convex, so no seed changes W and b.

    The penalty keeps W in the span of the features, so features with many more dimensions than
    there are images are fitted by their coordinates in it: the same W, from N x N numbers.

    Single-label, the loss is the mean cross-entropy of the softmax; multi-label, the mean over
    images of the sum over classes of the binary cross-entropies. Added is decay / 2 ||W||^2, with a
    decay above 0. Features (N, D) of a mean square norm far from 1 take many iterations. W is
    (D, classes) and b (classes,), in float64.
    """
    if features.shape[1] > max(len(features), _WIDEST):
        basis, coordinates = torch.linalg.qr(features.T)
        found, offset = fit_linear(
            coordinates.T, labels, multilabel=multilabel, decay=decay, iterations=iterations
        )
        return basis @ found, offset
    targets = labels.to(features)
    weights = torch.zeros(features.shape[1], targets.shape[1], dtype=features.dtype)
    offset = torch.zeros(targets.shape[1], dtype=features.dtype)
    numbers = [weights.requires_grad_(), offset.requires_grad_()]
    optimiser = torch.optim.LBFGS(
        numbers,
        max_iter=iterations,
        tolerance_grad=_SMALL,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = features @ weights + offset
        if multilabel:
            entropies = functional.binary_cross_entropy_with_logits(
                logits, targets, reduction="none"
            )
            loss = entropies.sum(dim=1).mean()
        else:
            loss = functional.cross_entropy(logits, targets)
        loss = loss + decay / 2 * weights.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates it in part only
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]  # as backward
    return weights.detach(), offset.detach()
