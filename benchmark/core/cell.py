"""A cell: one training with every default resolved, and its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Final

from hashbench.core.canonical import FIT_ID_LENGTH, digest


class Precision(StrEnum):
    """The arithmetic of training and encoding.

    ``tf32``: float32 whose products a CUDA device may round to TF32, in strict mode too; elsewhere
    the same as ``fp32``. ``bf16``: the network runs under bfloat16 autocast.
    """

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"


class BackboneMode(StrEnum):
    """How training treats the backbone.

    ``tuned``: it is trained, at its own learning rate. ``frozen``: it is not trained and is in eval
    mode; its pooled features are computed once an image, and the head is trained on those.
    """

    TUNED = "tuned"
    FROZEN = "frozen"


class Determinism(StrEnum):
    """``strict``: deterministic algorithms, no TF32; ``fast``: whatever is fastest."""

    STRICT = "strict"
    FAST = "fast"


# A setting that was added after fits had been recorded is left out of a fit's id while it has its
# default, so that older fits keep their ids. `BaseParams.added_later` does this for parameters.
_ADDED_LATER: Final[Mapping[str, Any]] = {"added_later": True}


@dataclass(frozen=True, slots=True)
class Component:
    """A named component with all its parameters.

    Attributes:
        name: Its name in the registry.
        version: The version it declares.
        params: Every parameter, defaults included, as plain data.
        preset: The preset the parameters started from, if any.
    """

    name: str
    version: int
    params: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None


@dataclass(frozen=True, slots=True)
class Subset:
    """Sizes drawn class by class from a protocol's lists; ``None`` keeps a list whole."""

    train: int | None = None
    query: int | None = None
    database: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DataChoice:
    """The data that a cell is trained and tested on.

    Attributes:
        name: The dataset.
        version: The dataset component's version.
        protocol: ``NAME@VERSION``.
        protocol_sha256: Digest of the protocol's definition, checksums included.
        subset: The part of the protocol used, if not all of it.
        image_size: Side of the square network input, in pixels.
        normalisation: Source of mean and deviation: ``protocol``, ``imagenet``, ``half``, ``clip``
            or ``unit``.
    """

    name: str
    version: int
    protocol: str
    protocol_sha256: str
    image_size: int
    normalisation: str = "protocol"
    subset: Subset | None = None

    @property
    def label(self) -> str:
        """The protocol as tables print it, with the sizes of a subset."""
        if self.subset is None:
            return self.protocol
        sizes = "/".join(
            "all" if size is None else str(size)
            for size in (self.subset.train, self.subset.query, self.subset.database)
        )
        return f"{self.protocol}[{sizes}#{self.subset.seed}]"


@dataclass(frozen=True, slots=True)
class Weights:
    """The source of a backbone's first weights.

    Attributes:
        source: ``none``, ``file``, or a tag such as ``timm/vit_tiny_patch16_224``.
        sha256: The file's checksum; None for a tag, whose checksum is in the record.
    """

    source: str = "none"
    sha256: str | None = None

    @property
    def pretrained(self) -> bool:
        """Whether the backbone starts from pretrained weights."""
        return self.source != "none"


@dataclass(frozen=True, slots=True)
class Head:
    """Neck and last layer between a backbone's features and the code."""

    neck: str = "pool"
    last_layer: str = "linear"


@dataclass(frozen=True, slots=True)
class Validation:
    """The part of the training set held out for validation, drawn class by class."""

    fraction: float
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rates fall during training.

    Attributes:
        kind: ``constant``, ``cosine`` (per step, down to ``factor`` of the start) or ``step``
            (times ``factor`` at each milestone).
        factor: See ``kind``.
        milestones: Fractions of the run, in (0, 1), at which ``step`` drops; they scale with it.
    """

    kind: str
    factor: float = 1.0
    milestones: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a deep method is trained, resolved from a recipe and the matrix's own keys.

    Attributes:
        recipe: The recipe's name.
        modified: The keys in which the matrix departs from the recipe.
        optimiser: ``adam``, ``adamw``, ``sgd`` or ``rmsprop``.
        lr: Learning rate of new layers (head, AEM, everything the loss owns).
        backbone_lr: Learning rate of the backbone.
        weight_decay: L2 penalty.
        momentum: Momentum of ``sgd``.
        nesterov: Whether ``sgd`` uses Nesterov's form.
        schedule: How the rates fall.
        epochs: Passes over the indices that the loss's ``epoch_indices`` returns.
        batch_size: Images a step.
        augmentation: ``none``, ``flip``, ``crop_flip``, ``crop_flip_jitter``, ``resized_crop``,
            ``resized_crop_jitter``, ``noise``, or the views of a loss: ``cibhash``, ``dhd``,
            ``dhd_alexnet``.
        validation: The part held out of the training set, if any.
        prepass: Input of a loss's pre-pass: ``weights`` (features of the pretrained backbone),
            ``random`` (features of the untrained one), ``pixels``; None if the loss has none.
        backbone: Whether the backbone is trained.
        channels_last: Whether images and filters are stored with the channels innermost.
        compile: Whether the network is compiled by ``torch.compile``.
        fused: Whether the optimiser updates all parameters in one fused kernel.
        accumulate: Number of parts into which a step's images are divided. The parts pass network
            and loss one after another, and their gradients, weighted by their share of the images,
            are added. A loss over pairs sees only pairs within a part.
    """

    recipe: str
    modified: tuple[str, ...]
    optimiser: str
    lr: float
    backbone_lr: float
    weight_decay: float
    momentum: float
    nesterov: bool
    schedule: Schedule
    epochs: int
    batch_size: int
    augmentation: str
    validation: Validation | None = None
    prepass: str | None = None
    backbone: BackboneMode = field(default=BackboneMode.TUNED, metadata=_ADDED_LATER)
    channels_last: bool = field(default=False, metadata=_ADDED_LATER)
    compile: bool = field(default=False, metadata=_ADDED_LATER)
    fused: bool = field(default=False, metadata=_ADDED_LATER)
    accumulate: int = field(default=1, metadata=_ADDED_LATER)


@dataclass(frozen=True, slots=True)
class Cell:
    """One training: a method on a dataset at one code length and seed.

    Either ``loss``, ``head`` and ``train`` are set (a deep method) or ``method`` is (a shallow one,
    on the backbone's features or, without a backbone, on pixels).

    Attributes:
        data: Dataset, protocol, subset, input size.
        bits: Code length; None for float embeddings.
        seed: The seed all others derive from.
        precision: Arithmetic of training and encoding.
        determinism: Strict or fast.
        backbone: The backbone and its parameters.
        weights: The backbone's first weights.
        head: Neck and last layer.
        loss: The hashing loss.
        train: How it is trained.
        method: The shallow method.
    """

    data: DataChoice
    bits: int | None
    seed: int
    precision: Precision = Precision.FP32
    determinism: Determinism = Determinism.STRICT
    backbone: Component | None = None
    weights: Weights = Weights()
    head: Head | None = None
    loss: Component | None = None
    train: TrainSettings | None = None
    method: Component | None = None

    @property
    def fit_id(self) -> str:
        """First 16 hex digits of the SHA-256 over all settings that determine the codes."""
        plain = _identity(self)
        for component in (plain["backbone"], plain["loss"], plain["method"]):
            if component:
                # The preset does not matter, only the parameters.
                del component["preset"]
        return digest(plain)[:FIT_ID_LENGTH]

    @property
    def frozen(self) -> bool:
        """Whether a deep method's backbone is not trained."""
        return self.train is not None and self.train.backbone is BackboneMode.FROZEN

    @property
    def channels_last(self) -> bool:
        """Whether images are stored with the channels innermost."""
        return self.train is not None and self.train.channels_last

    @property
    def method_label(self) -> str:
        """The method as tables print it.

        E.g. ``resnet18 + hsc``, ``resnet18 (frozen) + hsc`` or ``itq on pixels``.
        """
        return self._method_text(presets=False)

    def _method_text(self, *, presets: bool) -> str:
        def text(component: Component, *about: str) -> str:
            named = [component.preset] if presets and component.preset else []
            words = ", ".join([*named, *about])
            return f"{component.name} ({words})" if words else component.name

        frozen = [BackboneMode.FROZEN] if self.frozen else []
        features = text(self.backbone, *frozen) if self.backbone else "pixels"
        if self.method:
            return f"{text(self.method)} on {features}"
        return f"{features} + {text(self.loss) if self.loss else '?'}"

    @property
    def bits_label(self) -> str:
        """The code length as tables print it."""
        return "float" if self.bits is None else str(self.bits)

    def __str__(self) -> str:
        where = f"{self.data.label} | {self._method_text(presets=True)}"
        return f"{where} | {self.bits_label} bits | seed {self.seed}"


def _identity(settings: Any) -> dict[str, Any]:
    """A dataclass as plain data, without settings added later that have their default."""
    plain: dict[str, Any] = asdict(settings)
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.default is not MISSING and value == each.default and "added_later" in each.metadata:
            del plain[each.name]
        elif is_dataclass(value):
            plain[each.name] = _identity(value)
    return plain
