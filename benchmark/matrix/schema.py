"""The matrix file's schema."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hashbench.core.cell import Determinism, Precision
from hashbench.core.codes import MAX_BITS


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _seconds(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return float(match[1]) * _UNIT_SECONDS[match[2]]
    return value


Bits = Annotated[int, Field(ge=1, le=MAX_BITS, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """A block of the matrix: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SubsetSpec(Strict):
    """Sizes drawn class by class; a list that is not named stays whole."""

    train: Count | None = None
    query: Count | None = None
    database: Count | None = None
    seed: Seed = 0


class DatasetSpec(Strict):
    """A dataset and the protocol that splits it."""

    name: str
    protocol: str | None = None
    subset: SubsetSpec | None = None


class BackboneSpec(Strict):
    """A backbone, its weights and its neck."""

    name: str
    preset: str | None = None
    params: dict[str, Any] = {}
    weights: str = "none"
    image_size: Count | None = None
    normalisation: Literal["protocol", "imagenet", "half"] | None = None
    neck: str = "pool"


class LossSpec(Strict):
    """A hashing loss and, where it leaves the choice, its last layer."""

    name: str
    preset: str | None = None
    params: dict[str, Any] = {}
    last_layer: str | None = None


class MethodSpec(Strict):
    """A shallow method."""

    name: str
    preset: str | None = None
    params: dict[str, Any] = {}


BackboneRef = Annotated[BackboneSpec, BeforeValidator(_named)]
LossRef = Annotated[LossSpec, BeforeValidator(_named)]
MethodRef = Annotated[MethodSpec, BeforeValidator(_named)]


class GridSpec(Strict):
    """Every backbone crossed with every loss."""

    backbones: Annotated[list[BackboneRef], BeforeValidator(_listed)]
    losses: Annotated[list[LossRef], BeforeValidator(_listed)]


class PairSpec(Strict):
    """One method: ``{backbone, loss}``, or ``{method}`` on ``features`` (a backbone or pixels)."""

    backbone: BackboneRef | None = None
    loss: LossRef | None = None
    method: MethodRef | None = None
    features: BackboneRef | None = None

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
    """Which methods to run."""

    grid: GridSpec | None = None
    pairs: list[PairSpec] = []

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.grid is None and not self.pairs:
            raise ValueError("names no method; give grid, pairs, or both")
        return self


class ScheduleSpec(Strict):
    """How the learning rates fall; see `hashbench.core.cell.Schedule`."""

    kind: Literal["constant", "cosine", "step"]
    factor: Rate = 1.0
    milestones: list[Annotated[float, Field(gt=0, lt=1)]] = []


class ValidationSpec(Strict):
    """The part of the training set held out for validation."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed = 0


class TrainOverrides(Strict):
    """Training settings; what is not given comes from the recipe."""

    recipe: str | None = None
    epochs: Count | None = None
    batch_size: Count | None = None
    optimiser: Literal["adam", "adamw", "sgd", "rmsprop"] | None = None
    lr: Rate | None = None
    backbone_lr: Rate | None = None
    weight_decay: Rate | None = None
    momentum: Rate | None = None
    nesterov: bool | None = None
    schedule: ScheduleSpec | None = None
    augmentation: Literal["none", "flip", "crop_flip"] | None = None
    validation: ValidationSpec | None = None
    prepass: Literal["weights", "random", "pixels"] | None = None
    precision: Precision | None = None
    determinism: Determinism | None = None


class EvaluateSpec(Strict):
    """Which metrics to compute.

    Attributes:
        metrics: Metric names; one without ``@K`` is computed at every cut-off.
        cutoffs: K values, ``all`` or a number.
        radius: Also precision and recall within this Hamming radius; None for neither.
        every: Epochs between two evaluations on the validation part; 0 for never.
    """

    metrics: list[str] = ["map"]
    cutoffs: Annotated[list[Any], BeforeValidator(_listed)] = ["all"]
    radius: Annotated[int, Field(ge=0, strict=True)] | None = None
    every: Annotated[int, Field(ge=0, strict=True)] = 0


class LatencySpec(Strict):
    """An engine and the batches it is measured with."""

    engine: str
    k: Count = 100
    batches: Annotated[list[Count], BeforeValidator(_listed)] = [1, 100]
    threads: Count = 1


class ExecuteSpec(Strict):
    """Where and how cells run; never part of a fit's id.

    Attributes:
        backend: Only ``local`` so far.
        device: ``auto`` takes CUDA where there is one.
        threads: Threads of a cell's process; ``auto`` takes all cores.
        timeout: Seconds, or ``90s``, ``10m``, ``4h``; a cell that takes longer is killed.
        data_root: Where datasets are looked for.
    """

    backend: Literal["local"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Count | Literal["auto"] = "auto"
    timeout: Duration | None = None
    data_root: str | None = None


Names = Annotated[list[str] | None, BeforeValidator(_listed)]
Numbers = Annotated[list[int] | None, BeforeValidator(_listed)]


class WhereSpec(Strict):
    """Selects cells; a key that is given must hold one of its values."""

    dataset: Names = None
    protocol: Names = None
    backbone: Names = None
    loss: Names = None
    method: Names = None
    bits: Numbers = None
    seed: Numbers = None


class ExcludeSpec(WhereSpec):
    """Cells left out, and why."""

    because: Annotated[str, Field(min_length=1)]


class OverrideSpec(Strict):
    """Other training settings for some cells."""

    where: WhereSpec
    train: TrainOverrides


class MatrixSpec(Strict):
    """A whole matrix file."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    datasets: Annotated[list[Annotated[DatasetSpec, BeforeValidator(_named)]], Field(min_length=1)]
    methods: MethodsSpec
    bits: Annotated[list[Bits], BeforeValidator(_listed), Field(min_length=1)]
    seeds: Annotated[list[Seed], BeforeValidator(_listed), Field(min_length=1)] = [0]
    train: TrainOverrides = TrainOverrides()
    evaluate: EvaluateSpec = EvaluateSpec()
    latency: list[LatencySpec] = []
    execute: ExecuteSpec = ExecuteSpec()
    exclude: list[ExcludeSpec] = []
    overrides: list[OverrideSpec] = []
    plugins: list[str] = []
