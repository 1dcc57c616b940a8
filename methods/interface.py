"""What the harness runs, and what a backbone or a hashing loss gives it.

`Method` is the outermost interface. A deep one is a `Backbone` and a head trained with a `HashLoss`
by the harness's loop; a shallow one implements it directly.
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
    """The images of one role, on the device or brought there batch by batch."""

    def __len__(self) -> int: ...

    def pixels(self, indices: Tensor) -> Tensor:
        """Unresized images, float32 (n, channels, height, width) in [0, 1]."""
        ...

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """Network input, float32 (n, 3, size, size), normalised; augmented if a generator is given.

        Args:
            indices: int64 (n,), positions within this stream.
            augment_with: The CPU generator that draws the augmentation.
            view: Which view of the images it is; 1 for the second of two.
        """
        ...

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, as int64 tensors of at most ``size``."""
        ...


@dataclass(frozen=True, slots=True)
class TrainView:
    """The training set as a method sees it.

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
    """What a method tells the harness after each epoch.

    Attributes:
        epoch, epochs: Epochs done, and in all.
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
    """What the harness gives a method for one fit.

    Attributes:
        cell: The resolved settings.
        device: Where to compute.
        weights: The file of the backbone's first weights, if they come from a file.
        checkpoints: Where to keep checkpoints; None keeps none.
        on_epoch: Called after each epoch.
        stopping: Asked before each step: whether to keep what was done and end the process.
        validation: Images held out of the training set, if any.
        validate: Named metrics, given codes of the validation part and of the training set.
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
    """What a fit cost and how it went.

    Attributes:
        phases: Wall seconds by phase name (``prepass``, ``train``, ``validate``, ...).
        epochs: Epochs trained, those before a resume included.
        images_seen: Training images that went through the network.
        parameters: Trainable numbers of the whole method.
        history: One entry an epoch: its loss terms and, where measured, validation metrics.
        resumed_from: The epoch of the checkpoint taken up, or None.
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
    """Anything that learns from a training set and encodes images.

    Attributes:
        KIND: For plugin files.
        Params: The typed parameters.
        info: The component's card.
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
        """Encode un-augmented images in eval mode, one row an image, in order."""

    def database_codes(self) -> Codes | None:
        """Learned codes of the training images, in training order, where the method has them.

        They stand for those images in the database; all others are encoded.
        """
        return None


class DivergedError(RuntimeError):
    """The loss became NaN or infinite."""


class BackboneOutput(NamedTuple):
    """What a backbone gives a head.

    Attributes:
        pooled: (N, feature_dim): class token or average pool.
        tokens: (N, tokens, feature_dim) where the architecture has them, else None.
    """

    pooled: Tensor
    tokens: Tensor | None = None


class Backbone(nn.Module, ABC):
    """Images to features.

    The constructor is called as ``cls(params, image_size=...)`` after the initialisation seed is
    set, and builds the network with fresh weights.

    Attributes:
        KIND, Params, info: For plugin files; the typed parameters; the component's card.
        image_size: The input side, in pixels, that the architecture expects; None takes any, and
            then the protocol's own size is used.
        pretrained_normalisation: What its usual weights were trained on: ``imagenet``, ``half``,
            ``clip`` or ``unit``.
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
        """Parameters that no pretrained weights cover; they learn at the head's rate."""
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
    """What a loss asks of the harness.

    Attributes:
        views: Augmented views of each image a step; 2 fills `HashBatch.second`.
        augmentation: The rule its views were published with, in force where none is chosen.
        prepass: Whether `LossContext.features` is wanted.
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
    """What a loss may know before training.

    Attributes:
        labels: float32 (N, classes), multi-hot, of the whole training set, on the device.
        bits: Code length.
        multilabel: Whether an image may have several labels.
        epochs: Epochs planned.
        batch_size: Images a step.
        generator: A CPU generator of the loss's own; its state is checkpointed.
        device: Where outputs will be.
        features: float32 (N, D), the backbone's of the un-augmented training set before training,
            if ``needs.prepass``, else None.
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
    """One step's outputs.

    Attributes:
        outputs: (n, bits), of the head, with gradient.
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
        """Outputs of the head, float32 (N, bits); of some images only if int64 (n,) is given."""
        ...

    def features(self) -> Tensor:
        """Pooled backbone features, float32 (N, D)."""
        ...


class HashLoss(nn.Module, ABC):
    """A hashing loss, with the hooks that discrete and buffered methods need.

    An ``nn.Module``, so that classifiers, proxies, centres and codes are moved, optimised and
    checkpointed with the model. All parameters and buffers exist when `setup` returns, in the shape
    they keep. The order of calls is: ``setup``; ``begin_training``; then for each epoch
    ``epoch_indices``, ``begin_epoch``, for each step ``forward`` and ``after_step``, then
    ``end_epoch``. A run that takes up a checkpoint has its state loaded after ``setup`` and goes on
    with the next epoch, without ``begin_training``.

    Attributes:
        KIND: For plugin files.
        Params: The typed parameters, with published defaults and presets.
        info: The component's card.
        needs: What it asks of the harness.
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
        """Say, one line each with its remedy, why it cannot be trained so; ``check`` prints it."""
        return []

    def setup(self, ctx: LossContext) -> None:
        """Create parameters and buffers; called once, before a checkpoint is loaded."""

    def begin_training(self, outputs: OutputAccess) -> None:
        """Called once before the first epoch: state that starts from the initial network."""

    def epoch_indices(self, epoch: int) -> Tensor | None:
        """Training positions, int64, to visit in this epoch; None for all of them."""
        return None

    def begin_epoch(self, epoch: int) -> None:
        """Called before an epoch's first step."""

    @abstractmethod
    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""

    def after_step(self) -> None:
        """Called after the optimiser's step."""

    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        """Called after every epoch, the last one too: discrete steps, centre updates."""

    def database_codes(self) -> Codes | None:
        """Learned codes of the training set, where the method has them."""
        return None
