"""The blocks of a matrix for its datasets."""

from __future__ import annotations

from typing import Self

from pydantic import ValidationInfo, field_validator, model_validator

from hashbench.core.registry import Kind
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.matrix.lookup import Lookup, collected, refuse
from hashbench.matrix.own_images import no_dataset
from hashbench.matrix.positions import KeyPath
from hashbench.matrix.training_schema import Count, Seed, Strict


class SubsetSpec(Strict):
    """Sizes drawn class by class; a list that is not named stays whole."""

    train: Count | None = None
    query: Count | None = None
    database: Count | None = None
    seed: Seed = 0


class DatasetSpec(Strict):
    """A dataset and the protocol that splits it; without one, the dataset's usual protocol."""

    name: str
    protocol: str | None = None
    subset: SubsetSpec | None = None

    @field_validator("name")
    @classmethod
    def _registered(cls, name: str, info: ValidationInfo) -> str:
        if name.endswith("/*"):
            raise ValueError(f"'{name}' stands for many names; give one of them")
        try:
            Lookup.of(info).component(Kind.DATASET, name)
        except ValueError as error:
            raise ValueError(no_dataset(name, error)) from None
        return name

    @field_validator("protocol")
    @classmethod
    def _defined(cls, name: str | None) -> str | None:
        if name is not None:
            with collected():
                load_protocol(name)
        return name

    @model_validator(mode="after")
    def _fitting(self, info: ValidationInfo) -> Self:
        usual = Lookup.of(info).component(Kind.DATASET, self.name).default_protocol
        protocol = load_protocol(self.protocol or usual)
        if protocol.dataset != self.name:
            why = f"'{protocol.name}' is a protocol of '{protocol.dataset}', not of '{self.name}'"
            refuse([(("protocol",), why)])
        refuse(self._too_large(protocol))
        return self

    def _too_large(self, protocol: ProtocolSpec) -> list[tuple[KeyPath, str]]:
        wanted = self.subset.model_dump(include=set(protocol.sizes)) if self.subset else {}
        return [
            (("subset", role), f"{size} is more than the {protocol.sizes[role]} of {protocol.name}")
            for role, size in wanted.items()
            if size is not None and size > protocol.sizes[role]
        ]
