"""The matrix file's schema."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
    model_validator,
)

from hashbench.core.registry import Kind
from hashbench.evaluation.names import parse_cutoff, parse_metric
from hashbench.matrix.cluster_schema import RaySpec, SlurmSpec
from hashbench.matrix.data_schema import DatasetSpec
from hashbench.matrix.lookup import (
    DOWNLOADS,
    NO_WEIGHTS,
    Lookup,
    collected,
    known_word,
    refuse,
)
from hashbench.matrix.naming import PIXELS
from hashbench.matrix.rules_schema import Bits, ExcludeSpec, OverrideSpec
from hashbench.matrix.shorthand import OR_NAME, OR_SINGLE, OR_WITH_UNIT
from hashbench.matrix.training_schema import Count, Seed, Strict, TrainSpec
from hashbench.methods.head_names import LAST_LAYERS, NECKS, TOKEN_NECKS


class ComponentSpec(Strict):
    """A component by name, with the parameters that depart from its preset or defaults."""

    kind: ClassVar[Kind]
    name: str
    preset: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        if name.endswith("/*"):
            raise ValueError(f"'{name}' stands for many names; give one of them")
        Lookup.of(info).component(cls.kind, name)
        return name

    @model_validator(mode="after")
    def _parameters_fit(self, info: ValidationInfo) -> Self:
        found = Lookup.of(info).parameters(
            self.kind, self.name, preset=self.preset, params=self.params
        )
        refuse(found)
        return self


class BackboneSpec(ComponentSpec):
    """A backbone, its weights and its neck."""

    kind: ClassVar[Kind] = Kind.BACKBONE
    weights: str = NO_WEIGHTS
    image_size: Count | None = None
    normalisation: Literal["protocol", "imagenet", "half", "clip", "unit"] | None = None
    neck: Annotated[str, AfterValidator(lambda word: known_word(word, NECKS))] = "pool"

    @field_validator("weights")
    @classmethod
    def _there(cls, source: str, info: ValidationInfo) -> str:
        file = Lookup.of(info).path(source)
        if source != NO_WEIGHTS and not source.startswith(DOWNLOADS) and not file.is_file():
            raise ValueError(
                f"no such file: {file}. Give none, a file, timm/NAME or torchvision/NAME"
            )
        return source

    @model_validator(mode="after")
    def _neck_fits(self, info: ValidationInfo) -> Self:
        cls = Lookup.of(info).component(self.kind, self.name)
        if self.neck in TOKEN_NECKS and not cls.has_tokens:
            why = f"{self.neck} joins a Transformer's tokens, and {self.name} has none"
            refuse([(("neck",), f"{why}. Use pool or mlp3")])
        return self


LastLayer = Annotated[str, AfterValidator(lambda word: known_word(word, LAST_LAYERS))]


class LossSpec(ComponentSpec):
    """A hashing loss and, where it leaves the choice, its last layer."""

    kind: ClassVar[Kind] = Kind.LOSS
    last_layer: LastLayer | None = None

    @model_validator(mode="after")
    def _layer_fits(self, info: ValidationInfo) -> Self:
        declared = Lookup.of(info).component(Kind.LOSS, self.name).needs.last_layer
        if self.last_layer and declared and self.last_layer != declared:
            why = f"{self.name} is defined with '{declared}', not '{self.last_layer}'"
            refuse([(("last_layer",), f"{why}. Remove the key")])
        return self


class LossGroupSpec(LossSpec):
    """A group of losses, each with its defaults, where a matrix names a loss."""

    kind: ClassVar[Kind] = Kind.LOSS_GROUP

    def members(self, lookup: Lookup) -> list[LossSpec]:
        """Return its losses, each with the last layer of the group."""
        names = lookup.component(self.kind, self.name).losses
        common = {"last_layer": self.last_layer}
        return [LossSpec.model_validate({"name": n, **common}, context=lookup) for n in names]

    @model_validator(mode="after")
    def _layer_fits(self, info: ValidationInfo) -> Self:
        self.members(Lookup.of(info))
        return self


def _group_or_loss(
    value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> LossSpec:
    name = value.get("name") if isinstance(value, dict) else None
    if name in Lookup.of(info).registry.names(Kind.LOSS_GROUP):
        return LossGroupSpec.model_validate(value, context=info.context)
    loss: LossSpec = handler(value)
    return loss


class MethodSpec(ComponentSpec):
    """A shallow method."""

    kind: ClassVar[Kind] = Kind.METHOD


BASELINES: Final = ("cosine", "predicted_class", "lsh", "pca_rr", "itq")
"""The rows that every table needs, by name: what hashing costs, and what it has to beat."""

BackboneRef = Annotated[BackboneSpec, OR_NAME]
LossRef = Annotated[LossSpec, WrapValidator(_group_or_loss), OR_NAME]
MethodRef = Annotated[MethodSpec, OR_NAME]


class GridSpec(Strict):
    """Every backbone crossed with every loss.

    Attributes:
        backbones: The backbones.
        losses: The losses.
        last_layer: Of those losses that leave the choice and do not choose themselves.
    """

    backbones: Annotated[list[BackboneRef], Field(min_length=1), OR_SINGLE]
    losses: Annotated[list[LossRef], Field(min_length=1), OR_SINGLE]
    last_layer: LastLayer | None = None


class PairSpec(Strict):
    """One method: ``{backbone, loss}``, or ``{method}`` on ``features`` (a backbone or pixels)."""

    backbone: BackboneRef | None = None
    loss: LossRef | None = None
    method: MethodRef | None = None
    features: BackboneRef | None = None

    @field_validator("features", mode="before")
    @classmethod
    def _none_for_pixels(cls, value: Any) -> Any:
        return None if value == PIXELS else value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        deep = self.backbone is not None and self.loss is not None
        shallow = self.method is not None
        mixed = shallow and (self.backbone is not None or self.loss is not None)
        if deep == shallow or mixed or (deep and self.features is not None):
            raise ValueError(
                "a pair is either {backbone, loss}, or {method} with optional {features}"
            )
        return self


class MethodsSpec(Strict):
    """Which methods to run; ``baselines`` runs each of `BASELINES` on the features it names."""

    grid: GridSpec | None = None
    pairs: list[PairSpec] = Field(default_factory=list)
    baselines: Annotated[list[BackboneRef | None], OR_SINGLE] = Field(default_factory=list)

    @field_validator("baselines", mode="before")
    @classmethod
    def _none_for_pixels(cls, value: Any) -> Any:
        listed = value if isinstance(value, list) else [value]
        return [None if features == PIXELS else features for features in listed]

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.grid is None and not self.pairs and not self.baselines:
            raise ValueError("names no method; give grid, pairs, baselines, or several of them")
        return self


def _metric(name: str) -> str:
    with collected():
        parse_metric(name)
    return name


def _cutoff(value: Any) -> Any:
    with collected():
        parse_cutoff(value)
    return value


Cutoff = Annotated[
    Any,
    AfterValidator(_cutoff),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}),
]


class EvaluateSpec(Strict):
    """Which metrics to compute.

    Attributes:
        metrics: Metric names; one without ``@K`` is computed at every cut-off.
        cutoffs: K values, ``all`` or a number.
        radius: Also precision and recall within this Hamming radius; None for neither.
        every: Epochs between two evaluations on the validation part; 0 for never.
    """

    metrics: Annotated[
        list[Annotated[str, AfterValidator(_metric)]], Field(min_length=1), OR_SINGLE
    ] = Field(default_factory=lambda: ["map"])
    cutoffs: Annotated[list[Cutoff], Field(min_length=1), OR_SINGLE] = Field(
        default_factory=lambda: ["all"]
    )
    radius: Annotated[int, Field(ge=0)] | None = None
    every: Annotated[int, Field(ge=0)] = 0


class LatencySpec(Strict):
    """A search engine to time, with its parameters: every k with every batch size.

    Attributes:
        engine: Its name.
        params: The parameters that depart from its defaults.
        k: Neighbours a query.
        batches: Queries a call.
        threads: Threads, for building and searching.
        samples: Timed calls wanted; a percentile p needs 10 / (1 - p) of them.
        seconds: Time limit for those of one setting.
    """

    engine: str
    params: dict[str, Any] = Field(default_factory=dict)
    k: Annotated[list[Count], Field(min_length=1), OR_SINGLE] = Field(default_factory=lambda: [100])
    batches: Annotated[list[Count], Field(min_length=1), OR_SINGLE] = Field(
        default_factory=lambda: [1, 100]
    )
    threads: Count = 1
    samples: Count = 1000
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False), OR_WITH_UNIT] = 3.0

    @field_validator("engine")
    @classmethod
    def _available(cls, name: str, info: ValidationInfo) -> str:
        missing = Lookup.of(info).component(Kind.ENGINE, name).available()
        if missing:
            raise ValueError(missing)
        return name

    @model_validator(mode="after")
    def _parameters_fit(self, info: ValidationInfo) -> Self:
        lookup = Lookup.of(info)
        refuse(lookup.parameters(Kind.ENGINE, self.engine, preset=None, params=self.params))
        return self


def _auto_or_count(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise ValueError(f"should be 'auto' or a whole number above 0, got {value!r}") from None


class RetriesSpec(Strict):
    """Retries of a cell within one run, by how it ended; each try has its record.

    Attributes:
        killed: Where its process was killed, as the system does when memory runs out.
        oom: Where it ran out of memory; with several slots it is tried again alone.
    """

    killed: Annotated[int, Field(ge=0)] = 1
    oom: Annotated[int, Field(ge=0)] = 1


class ExecuteSpec(Strict):
    """The backend and resources of cells; never part of a fit's id.

    Attributes:
        backend: ``local``: on this machine; ``slurm`` or ``ray``: on a cluster.
        device: ``auto`` takes CUDA where there is one.
        threads: Threads of a cell's process; ``auto`` takes all cores.
        timeout: Seconds, or ``90s``, ``10m``, ``4h``; a cell that takes longer is killed.
        data_root: Where datasets are looked for; ``--data-root`` counts instead.
        keep_model: Whether a fit keeps what `hashbench encode` and `hashbench query` need.
        slots: Cells beside each other, on CUDA for each device; ``auto`` takes one for each
            device, or as many as the cores bear. Training times are comparable with one alone;
            latency is always measured alone.
        retries: How often a cell is tried again that was killed or ran out of memory.
        slurm: Resources of a cell's Slurm job.
        ray: Resources of a cell on Ray.
    """

    backend: Literal["local", "slurm", "ray"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[Count | Literal["auto"], WrapValidator(_auto_or_count)] = "auto"
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False), OR_WITH_UNIT] | None = None
    data_root: str | None = None
    keep_model: bool = False
    slots: Annotated[Count | Literal["auto"], WrapValidator(_auto_or_count)] = 1
    retries: RetriesSpec = RetriesSpec()
    slurm: SlurmSpec = SlurmSpec()
    ray: RaySpec = RaySpec()

    @field_validator("data_root")
    @classmethod
    def _a_folder(cls, name: str | None, info: ValidationInfo) -> str | None:
        lookup = Lookup.of(info)
        if name is None or lookup.data_root:  # the user's own place counts instead
            return name
        if not (folder := lookup.path(name)).is_dir():
            raise ValueError(f"no such folder: {folder}")
        return name


class MatrixSpec(Strict):
    """A whole matrix file."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    datasets: Annotated[list[Annotated[DatasetSpec, OR_NAME]], Field(min_length=1), OR_SINGLE]
    methods: MethodsSpec
    bits: Annotated[list[Bits], Field(min_length=1), OR_SINGLE]
    seeds: Annotated[list[Seed], Field(min_length=1), OR_SINGLE] = Field(
        default_factory=lambda: [0]
    )
    train: TrainSpec = TrainSpec()
    evaluate: EvaluateSpec = EvaluateSpec()
    latency: list[LatencySpec] = Field(default_factory=list)
    execute: ExecuteSpec = ExecuteSpec()
    exclude: list[ExcludeSpec] = Field(default_factory=list)
    overrides: list[OverrideSpec] = Field(default_factory=list)
    plugins: list[str] = Field(default_factory=list)
