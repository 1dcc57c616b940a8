"""Methods whose fitted state can be stored and restored to encode other images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from hashbench.methods.interface import Method, TrainContext


class KeepableMethod(Method):
    """A method whose fitted state can be stored, for ``execute: {keep_model: true}``."""

    @abstractmethod
    def encoder_state(self) -> Mapping[str, Tensor]:
        """Return every tensor, learned or loaded, that `encode` reads, by name; after `fit`."""

    @abstractmethod
    def restore_encoder(self, state: Mapping[str, Tensor], ctx: TrainContext) -> None:
        """Restore the state of `encoder_state` instead of calling `fit`; `encode` is then the same.

        Args:
            state: The tensors, on the CPU.
            ctx: The cell without its first weights, and the device to encode on.

        Raises:
            RuntimeError: If the state is not one of this method with these settings.
        """
