"""What a shallow method gives: what it learns from centred features, and how it projects them."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from hashbench.methods.interface import TrainView
from hashbench.methods.shallow.feature_method import FeatureMethod


class ShallowMethod(FeatureMethod):
    """A method that learns from features alone; a subclass says what, and how it projects.

    Example:
        A method whose bits are the signs of the first features::

            class First(ShallowMethod):
                info = ComponentInfo(title="First features")

                def learn(self, centred, generator):
                    pass

                def project(self, centred):
                    return centred[:, : self.bits]
    """

    @abstractmethod
    def learn(self, centred: Tensor, generator: torch.Generator) -> None:
        """Learn from centred training features.

        Args:
            centred: float64 (N, D).
            generator: A CPU generator, seeded from the cell's seed.
        """

    def learn_from(self, data: TrainView, centred: Tensor, *, generator: torch.Generator) -> None:
        """Learn from the features; labels are not looked at."""
        del data
        self.learn(centred, generator)
