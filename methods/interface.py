"""The interfaces of methods, backbones and hashing losses.

`Method` is the outermost one. A deep method is a `Backbone` and a head trained with a `HashLoss`; a
shallow method implements it directly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from hashbench.core.cell import Cell, TrainSettings
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind


class ImageStream(Protocol):
    """The images of one role, held on the device or moved there batch by batch."""

    def __len__(self) -> int: ...

    def pixels(self, indices: Tensor) -> Tensor:
        """Return unresized images, float32 (n, channels, height, width) in [0, 1]."""
        ...

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """Return network input, float32 (n, 3, size, size), normalised, perhaps augmented.

        Args:
            indices: int64 (n,), positions within this stream.
            augment_with: The CPU generator that draws the augmentation; None for none.
            view: The number of the view, from 0; 1 for the second of two.
        """
        ...

    def blocks(self, size: int) -> Iterator[Tensor]:
        """Yield all positions in order, in int64 tensors of at most ``size``."""
        ...


@dataclass(frozen=True, slots=True)
class TrainView:
    """The training set that a method is given.

    Attributes:
        images: The training images.
        labels: float32 (N, classes), multi-hot, on the device.
        multilabel: Whether an image may have several labels.
    """

    images: ImageStream
    labels: Tensor
    multilabel: bool


@dataclass(frozen=True, slots=True)
class EpochEvent:
    """The report of a method after each epoch.

    Attributes:
        epoch, epochs: Epochs done, and planned.
        terms: Mean of every named loss term over the epoch, and ``total``.
        seconds, images: Wall seconds of the epoch, and images seen in it.
    """

    epoch: int
    epochs: int
    terms: Mapping[str, float]
    seconds: float
    images: int


@dataclass(frozen=True, slots=True)
class TrainContext:
    """The settings and callbacks of one fit.

    Attributes:
        cell: The resolved settings.
        device: Where to compute.
        weights: The file of the backbone's first weights, if they come from a file.
        checkpoints: Where to keep checkpoints; None keeps none.
        on_epoch: Called after each epoch.
        stopping: Called before each step; True to write a checkpoint and end the process.
        validation: Images held out of the training set, if any.
        validate: Computes named metrics from codes of the validation part and the training set.
        validate_every: Epochs between two validations; 0 for never.
    """

    cell: Cell
    device: torch.device
    weights: Path | None = None
    checkpoints: Path | None = None
    on_epoch: Callable[[EpochEvent], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    validation: ImageStream | None = None
    validate: Callable[[Codes, Codes], Mapping[str, float]] | None = None
    validate_every: int = 0


@dataclass(frozen=True, slots=True)
class FitReport:
    """The cost and the course of a fit.

    Attributes:
        phases: Wall seconds by phase name (``prepass``, ``train``, ``validate``, ...).
        epochs: Epochs trained, those before a resume included.
        images_seen: Training images that went through the network.
        parameters: Number of trainable numbers in the whole method.
        history: An entry for each epoch: its loss terms and, where measured, validation metrics.
        resumed_from: The epoch of the checkpoint it resumed from, or None.
        weights_sha256: Checksum of the backbone's first weights as loaded, or None.
        step_seconds: Seconds of all training steps by part, where steps are timed.
    """

    phases: Mapping[str, float]
    epochs: int = 0
    images_seen: int = 0
    parameters: int = 0
    history: tuple[Mapping[str, Any], ...] = ()
    resumed_from: int | None = None
    weights_sha256: str | None = None
    step_seconds: Mapping[str, float] = field(default_factory=dict)


class Method(ABC):
    """Base of everything that learns from a training set and encodes images.

    Attributes:
        KIND: The kind of component, by which a plugin file's classes are found.
        Params: The class of the parameters.
        info: Title, version, paper and citation.
        binary: False for a method that encodes to `Embeddings`: code lengths do not apply to it.
    """

    KIND: ClassVar[Kind] = Kind.METHOD
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]
    binary: ClassVar[bool] = True

    @abstractmethod
    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        """Learn from the training set.

        Raises:
            DivergedError: If the loss is no longer finite.
        """

    @abstractmethod
    def encode(self, images: ImageStream, role: Role) -> Codes | Embeddings:
        """Encode un-augmented images in eval mode, a row for each image, in order."""

    def database_codes(self) -> Codes | None:
        """Return learned codes of the training images, in training order; None if there are none.

        They are those images' codes in the database; all other images are encoded.
        """
        return None


class DivergedError(RuntimeError):
    """Raised when the loss becomes NaN or infinite."""


class BackboneOutput(NamedTuple):
    """The output of a backbone, which the head reads.

    Attributes:
        pooled: (N, feature_dim): class token or average pool.
        tokens: (N, tokens, feature_dim) where the architecture has them, else None.
    """

    pooled: Tensor
    tokens: Tensor | None = None


class Backbone(nn.Module, ABC):
    """Base of the networks that map images to features.

    The constructor is called as ``cls(params, image_size=...)`` after the initialisation seed is
    set, and builds the network with fresh weights.

    Attributes:
        KIND, Params, info: As for `Method`.
        image_size: The input side, in pixels, that the architecture expects; None if it takes any,
            and then the protocol's size is used.
        pretrained_normalisation: The normalisation its usual weights were trained with:
            ``imagenet``, ``half``, ``clip`` or ``unit``.
        has_tokens: Whether its output has tokens.
        neck_dropout: Dropout within the neck ``mlp3``.
        feature_dim: Width D of ``pooled``.
    """

    KIND: ClassVar[Kind] = Kind.BACKBONE
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]
    image_size: ClassVar[int | None] = None
    pretrained_normalisation: ClassVar[str] = "imagenet"
    has_tokens: ClassVar[bool] = False
    neck_dropout: ClassVar[float] = 0.0
    feature_dim: int

    @abstractmethod
    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to features."""

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that pretrained weights lack; they learn at the head's rate."""
        return []

    @abstractmethod
    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load a published state dict of the trunk.

        Raises:
            DataError: If a tensor of the trunk is missing or has another shape.
        """

    @classmethod
    def fetch_pretrained(cls, params: BaseParams, tag: str) -> Mapping[str, Tensor]:
        """Download a published state dict by its tag (``timm/NAME`` or ``torchvision/NAME``).

        Raises:
            DataError: If there is no network, no such tag, or the architecture has no weights.
        """
        from hashbench.methods.weights import fetch

        del params
        return fetch(tag)


@dataclass(frozen=True, slots=True)
class Needs:
    """The requirements of a loss.

    Attributes:
        views: Augmented views of each image in a step; 2 fills `HashBatch.second`.
        augmentation: The augmentation its views were published with, used where none is chosen.
        prepass: Whether it reads `LossContext.features`.
        buffer: Whether it keeps state over the whole training set (for the memory estimate).
        last_layer: The last layer the loss was published with, or None for any.
    """

    views: int = 1
    augmentation: str | None = None
    prepass: bool = False
    buffer: bool = False
    last_layer: str | None = None


@dataclass(frozen=True, slots=True)
class LossContext:
    """The data and settings of a training, which a loss is given before it starts.

    Attributes:
        labels: float32 (N, classes), multi-hot, of the whole training set, on the device.
        bits: Code length.
        multilabel: Whether an image may have several labels.
        epochs: Epochs planned.
        batch_size: Images in a step.
        generator: A CPU generator for this loss alone; its state is checkpointed.
        device: The device of the outputs.
        features: float32 (N, D), the backbone's output for the un-augmented training set before
            training, if ``needs.prepass``, else None.
    """

    labels: Tensor
    bits: int
    multilabel: bool
    epochs: int
    batch_size: int
    generator: torch.Generator
    device: torch.device
    features: Tensor | None = None


@dataclass(frozen=True, slots=True)
class HashBatch:
    """The outputs and labels of one step.

    Attributes:
        outputs: (n, bits), the head's, with gradient.
        features: (n, D), the backbone's pooled output.
        labels: float32 (n, classes), multi-hot; never written to.
        indices: int64 (n,), positions in the training set.
        progress: Fraction of the training done before this step, in [0, 1).
        second: (n, bits), outputs of a second augmented view, if ``needs.views`` is 2.
    """

    outputs: Tensor
    features: Tensor
    labels: Tensor
    indices: Tensor
    progress: float
    second: Tensor | None = None


@dataclass(frozen=True, slots=True)
class LossTerms:
    """Named terms of a loss and their weights; the weighted sum is what is minimised.

    Example:
        >>> terms = LossTerms({"pair": torch.tensor(2.0), "quantisation": torch.tensor(1.0)},
        ...                   {"quantisation": 0.1})
        >>> round(float(terms.total), 3)
        2.1

    Attributes:
        terms: Scalars with gradient.
        weights: Weight of a term; 1 where none is given.
    """

    terms: Mapping[str, Tensor]
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        """The weighted sum, a scalar with gradient."""
        parts = [self.weights.get(name, 1.0) * term for name, term in self.terms.items()]
        return torch.stack(parts).sum()


class OutputAccess(Protocol):
    """The network's outputs over the un-augmented training set, in eval mode, without gradient."""

    def outputs(self, indices: Tensor | None = None) -> Tensor:
        """Return the head's outputs, float32 (N, bits); of some images if int64 (n,) is given."""
        ...

    def features(self) -> Tensor:
        """Return the pooled features of the backbone, float32 (N, D)."""
        ...


class HashLoss(nn.Module, ABC):
    """Base of hashing losses, with the hooks that discrete and buffered methods need.

    It is an ``nn.Module``, so that classifiers, proxies, centres and codes are moved, optimised and
    checkpointed with the model. All parameters and buffers exist when `setup` returns, in the shape
    they keep. The order of calls is: ``setup``; ``begin_training``; then for each epoch
    ``epoch_indices``, ``begin_epoch``, for each step ``forward`` and ``after_step``, then
    ``end_epoch``. A run that resumes from a checkpoint loads the state after ``setup`` and goes on
    with the next epoch, without ``begin_training``.

    Attributes:
        KIND, Params, info: As for `Method`.
        needs: Its requirements: views, features before training, last layer.
    """

    KIND: ClassVar[Kind] = Kind.LOSS
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]
    needs: ClassVar[Needs] = Needs()

    def __init__(self, params: BaseParams) -> None:
        super().__init__()
        self.params = params

    @classmethod
    def refusals(cls, params: BaseParams, *, bits: int, settings: TrainSettings) -> list[str]:
        """Return the reasons why it cannot be trained so, a line with a remedy each."""
        return []

    def setup(self, ctx: LossContext) -> None:
        """Create parameters and buffers; called once, before a checkpoint is loaded."""

    def begin_training(self, outputs: OutputAccess) -> None:
        """Set state that starts from the initial network; called once, before the first epoch."""

    def epoch_indices(self, epoch: int) -> Tensor | None:
        """Return the training positions, int64, to visit in this epoch; None for all of them."""
        return None

    def begin_epoch(self, epoch: int) -> None:
        """Prepare an epoch; called before its first step."""

    @abstractmethod
    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch."""

    def after_step(self) -> None:
        """Update state after a step of the optimiser."""

    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        """Update codes or centres; called after every epoch, the last one too."""

    def database_codes(self) -> Codes | None:
        """Return learned codes of the training set; None if the loss has none."""
        return None
