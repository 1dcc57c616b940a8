"""The reference without codes: the features themselves, compared by cosine."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.shallow.interface import ShallowMethod


class Cosine(ShallowMethod):
    """Float features compared by cosine, the reference for hashing the same features.

    It has no codes, and no code length.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            centre: Whether to subtract the training mean, as the shallow methods do: LSH on
                centred features tends to their cosine as its bits grow.
        """

        centre: bool = True

    binary: ClassVar[bool] = False
    info = ComponentInfo(title="Float features, cosine")

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Learn nothing: the mean is all it holds."""

    def project(self, centred: Tensor) -> Tensor:
        """Return the features unchanged, (N, D)."""
        return centred
