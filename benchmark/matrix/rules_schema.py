"""The blocks of a matrix that select cells: to exclude them, or to override their settings."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hashbench.core.codes import MAX_BITS
from hashbench.matrix.cluster_schema import ExecuteOverrideSpec
from hashbench.matrix.lookup import Lookup
from hashbench.matrix.naming import losses_of
from hashbench.matrix.shorthand import OR_SINGLE
from hashbench.matrix.training_schema import Seed, Strict, TrainSpec

Bits = Annotated[int, Field(ge=1, le=MAX_BITS)]
Names = Annotated[list[str], Field(min_length=1), OR_SINGLE]


class NamedSpec(Strict):
    """Selects cells by name; a key that is given must hold one of its values."""

    dataset: Names | None = None
    protocol: Names | None = None
    backbone: Names | None = None
    loss: Names | None = None
    method: Names | None = None
    bits: Annotated[list[Bits], Field(min_length=1), OR_SINGLE] | None = None


class WhereSpec(NamedSpec):
    """Selects cells; a key that is given must hold one of its values."""

    seed: Annotated[list[Seed], Field(min_length=1), OR_SINGLE] | None = None

    def values(self) -> dict[str, list[Any]]:
        """Return the selected values by key."""
        given = {key: getattr(self, key) for key in WhereSpec.model_fields}
        return {key: values for key, values in given.items() if values is not None}

    @field_validator("loss")
    @classmethod
    def _without_groups(cls, names: list[str] | None, info: ValidationInfo) -> list[str] | None:
        return None if names is None else losses_of(names, Lookup.of(info).registry)

    @model_validator(mode="after")
    def _not_everything(self) -> Self:
        if not self.values():
            raise ValueError(f"selects nothing; give one of {', '.join(WhereSpec.model_fields)}")
        return self


class ExcludeSpec(WhereSpec):
    """Cells left out, and why."""

    because: Annotated[str, Field(min_length=1)]


class OverrideSpec(Strict):
    """Other settings for some cells.

    Attributes:
        where: The cells.
        train: Their training settings.
        execute: Their resources on a cluster.
    """

    where: WhereSpec
    train: TrainSpec = TrainSpec()
    execute: ExecuteOverrideSpec | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set & {"train", "execute"}:
            raise ValueError("changes nothing; give train, execute, or both")
        return self
