"""The ``[sampling]`` tables of the rules that draw from multi-label datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from hashbench.datasets.protocols.random_sampling import RandomDraw
from hashbench.datasets.protocols.walk_sampling import Walk


class _Drawn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    query: PositiveInt
    train: PositiveInt
    train_in_database: bool
    labelled_only: bool = False


class RandomTable(_Drawn):
    """``[sampling]`` with ``rule = "random"``; see `RandomDraw`."""

    rule: Literal["random"]

    def rule_of(self, _folder: Path) -> RandomDraw:
        """The rule this table states."""
        return RandomDraw(**self.model_dump(exclude={"rule"}))


class WalkTable(_Drawn):
    """``[sampling]`` with ``rule = "walk"``; ``query`` and ``train`` are per label; see `Walk`."""

    rule: Literal["walk"]

    def rule_of(self, _folder: Path) -> Walk:
        """The rule this table states."""
        return Walk(**self.model_dump(exclude={"rule"}))
