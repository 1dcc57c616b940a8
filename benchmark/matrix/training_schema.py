"""The blocks of a matrix for the training of deep methods."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hashbench.core.cell import BackboneMode, Determinism, Precision
from hashbench.matrix.lookup import known_word
from hashbench.matrix.recipes import recipes

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Strict(BaseModel):
    """A block of the matrix: unknown keys and wrong types are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def overridden_by(self, other: Self) -> Self:
        """Return this block with every key that the other one states."""
        stated = {key: getattr(other, key) for key in other.model_fields_set}
        return self.model_copy(update=stated)


class ScheduleSpec(Strict):
    """The schedule of the learning rates; see `hashbench.core.cell.Schedule`."""

    kind: Literal["constant", "cosine", "step"]
    factor: Rate | None = None
    milestones: list[Fraction] = []

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.factor is None) != (self.kind == "constant"):
            raise ValueError("cosine and step take a factor, constant takes none")
        if bool(self.milestones) != (self.kind == "step"):
            raise ValueError("step takes milestones, constant and cosine take none")
        if any(left >= right for left, right in pairwise(self.milestones)):
            raise ValueError("milestones must rise")
        return self


class ValidationSpec(Strict):
    """The part of the training set held out for validation."""

    fraction: Fraction
    seed: Seed = 0


class TrainSpec(Strict):
    """Training settings; what is not given comes from the recipe."""

    recipe: Annotated[str, AfterValidator(lambda name: known_word(name, recipes()))] | None = None
    epochs: Count | None = None
    batch_size: Count | None = None
    optimiser: Literal["adam", "adamw", "sgd", "rmsprop"] | None = None
    lr: Rate | None = None
    backbone_lr: Rate | None = None
    weight_decay: Rate | None = None
    momentum: Rate | None = None
    nesterov: bool | None = None
    schedule: ScheduleSpec | None = None
    augmentation: (
        Literal[
            "none",
            "flip",
            "crop_flip",
            "crop_flip_jitter",
            "resized_crop",
            "resized_crop_jitter",
            "noise",
            "cibhash",
            "dhd",
            "dhd_alexnet",
        ]
        | None
    ) = None
    validation: ValidationSpec | None = None
    prepass: Literal["weights", "random", "pixels"] | None = None
    backbone: Annotated[BackboneMode, Field(strict=False)] | None = None
    precision: Annotated[Precision, Field(strict=False)] | None = None
    determinism: Annotated[Determinism, Field(strict=False)] | None = None
    channels_last: bool | None = None
    compile: bool | None = None
    fused: bool | None = None
    accumulate: Count | None = None
