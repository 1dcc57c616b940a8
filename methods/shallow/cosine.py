"""The reference without codes: the features themselves, compared by cosine."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.shallow.interface import ShallowMethod


class Cosine(ShallowMethod):
    """Float embeddings compared by cosine: what hashing the same features can hope to keep.

    Args:
        params: The parameters.
        bits: None; there are no codes.
        features: Maps a stream of images to features (N, D).
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            centre: Whether to subtract the training mean, as the shallow methods do: LSH on
                centred features tends to their cosine as its bits grow.
        """

        centre: bool = True

    binary: ClassVar[bool] = False
    info: ClassVar[ComponentInfo] = ComponentInfo(title="Float features, cosine")

    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Learn nothing: the mean is all it holds."""

    def project(self, centred: Tensor) -> Tensor:
        """Return the features as they came, (N, D)."""
        return centred
