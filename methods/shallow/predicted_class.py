"""The row that learns no hashing: a classifier, and a code for each class that it may answer."""

from __future__ import annotations

from typing import ClassVar

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
from hashbench.methods.shallow.feature_method import FeatureMethod
from hashbench.methods.shallow.linear_classifier import fit_linear


class PredictedClass(FeatureMethod):
    """Codes of the predicted class: a linear classifier on the features, and one code a class.

    Under the usual protocol, whose queries are of classes trained on, this beats many supervised
    hashing methods (Sablayrolles and others); under one with unseen classes it has nothing to say.
    A row that does not beat it has shown a classifier, not a hashing.

    logits = (f - mean) / s W + b, fitted by cross-entropy; s is the root mean square norm of the
    training features, so that ``decay`` means the same for features of any size. Single-label, the
    code is that of the class with the largest logit. Multi-label, the classes with logits above 0
    are predicted, the largest if there are none, and their codes are merged bit by bit by majority
    vote, as CSQ merges centres. Only classes with training images can be predicted or have a code.

    Args:
        params: The parameters.
        bits: Code length; 2^bits must be at least the number of classes.
        features: Maps a stream of images to features (N, D).

    Attributes:
        projection: float64 (D, classes), W / s; there after `fit`, as all below.
        offset: float64 (classes,), b.
        codes: float64 (classes, bits) of -1 and +1, of the classes with training images.
        tie: float64 (bits,) of -1 and +1, where a vote is a tie.
        several: bool (), whether an image may have several labels.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            decay: Weight of ||W||^2 / 2 beside the mean loss of an image.
            iterations: Of the fit, at most.
            centres: How the codes of the classes are made; ``bernoulli`` where so few bits leave no
                room for codes far apart.
        """

        decay: float = Field(default=1e-4, gt=0, allow_inf_nan=False)
        iterations: int = Field(default=500, ge=1, le=100_000)
        centres: CentreMethod = CentreMethod.MAXHD

    info: ClassVar[ComponentInfo] = ComponentInfo(
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
        """Predict which classes centred features, float64 (N, D), are of.

        Returns:
            float64 (N, classes), multi-hot over the classes with training images; at least one 1
            a row.
        """
        logits = centred @ self.projection + self.offset
        largest = functional.one_hot(logits.argmax(dim=1), logits.shape[1]).double()
        return torch.maximum((logits > 0).double(), largest) if self.several else largest

    def project(self, centred: Tensor) -> Tensor:
        """Map (N, D) to the codes (N, bits) of what is predicted."""
        return merged_centres(self.predict(centred), centres=self.codes, tie=self.tie)

    def parameters(self) -> int:
        """The mean, the classifier and the codes."""
        held = (self.projection, self.offset, self.codes, self.tie)
        return super().parameters() + sum(tensor.numel() for tensor in held)
