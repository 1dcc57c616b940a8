"""The base classes of shallow methods: features, centring, a seed, learning and encoding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from time import perf_counter
from typing import ClassVar, Final

import torch
from torch import Tensor

from hashbench.core.codes import MAX_BITS, Codes, Embeddings, Role
from hashbench.core.errors import ConfigError
from hashbench.core.params import BaseParams
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.building_blocks.features import BackboneFeatures, FeatureExtractor
from hashbench.methods.interface import FitReport, ImageStream, TrainContext, TrainView
from hashbench.methods.keepable import KeepableMethod

_ROWS: Final = 8192
_LEARNED: Final = "method."
_NETWORK: Final = "backbone."


class FeatureMethod(KeepableMethod):
    """A method on fixed features; `ShallowMethod` is the base of those that read no labels.

    The training features' mean is subtracted from all features, unless the method's parameters
    say otherwise. All arithmetic is in float64 on the CPU.

    Args:
        params: The parameters.
        bits: Code length; None for a method without codes.
        features: Maps a stream of images to features (N, D).

    Attributes:
        binary: Whether the method makes codes.
        bits: Code length; 0 for a method without codes.
        mean: float64 (D,), subtracted from all features; set by `fit`.

    Raises:
        ConfigError: If the code length is missing, out of range, or given to a method without
            codes.
    """

    binary: ClassVar[bool] = True
    mean: Tensor

    def __init__(self, params: BaseParams, *, bits: int | None, features: FeatureExtractor) -> None:
        self._check_bits(bits)
        self.params = params
        self.bits = bits or 0
        self.features = features

    @classmethod
    def _check_bits(cls, bits: int | None) -> None:
        if not cls.binary and bits is not None:
            raise ConfigError(f"bits: {cls.__name__} makes no codes; leave bits out, got {bits}")
        if cls.binary and (bits is None or not 1 <= bits <= MAX_BITS):
            raise ConfigError(
                f"bits: {cls.__name__} needs a code length between 1 and {MAX_BITS}, got {bits}"
            )

    def centres(self) -> bool:
        """Return whether the training mean is subtracted: the parameter ``centre``, or True."""
        return bool(getattr(self.params, "centre", True))

    @abstractmethod
    def learn_from(self, data: TrainView, centred: Tensor, *, generator: torch.Generator) -> None:
        """Learn from the training set.

        Args:
            data: The training set, with its labels.
            centred: float64 (N, D), its centred features.
            generator: A CPU generator, seeded from the cell's seed.
        """

    @abstractmethod
    def project(self, centred: Tensor) -> Tensor:
        """Map centred features, float64 (N, D), to real outputs; their signs are the code."""

    def parameters(self) -> int:
        """Return how many numbers the fitted method holds, without its features' network."""
        return self.mean.numel()

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        """Extract the training images' features, and learn.

        Returns:
            A report with the phases ``features`` (extraction) and ``fit``.
        """
        started = perf_counter()
        features = self.features(data.images).double()
        extracted = perf_counter()
        self.mean = features.mean(dim=0) if self.centres() else torch.zeros_like(features[0])
        seed = derive_seed(ctx.cell.seed, Purpose.METHOD)
        generator = torch.Generator().manual_seed(seed)
        self.learn_from(data, features - self.mean, generator=generator)
        done = perf_counter()
        return FitReport(
            phases={"features": extracted - started, "fit": done - extracted},
            images_seen=len(features),
            parameters=self.parameters(),
        )

    def encoder_state(self) -> Mapping[str, Tensor]:
        """Return the tensors among its attributes, and its features' network if there is one."""
        learned = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        state = {f"{_LEARNED}{name}": value for name, value in learned.items()}
        if isinstance(self.features, BackboneFeatures):
            network = self.features.backbone.state_dict()
            state |= {f"{_NETWORK}{name}": value for name, value in network.items()}
        return state

    def restore_encoder(self, state: Mapping[str, Tensor], ctx: TrainContext) -> None:
        """Set the attributes and load the network.

        Raises:
            RuntimeError: If the weights are those of another network.
        """
        del ctx
        for name, value in _part(state, _LEARNED).items():
            setattr(self, name, value)
        if isinstance(self.features, BackboneFeatures):
            self.features.backbone.load_state_dict(_part(state, _NETWORK))

    def encode(self, images: ImageStream, role: Role) -> Codes | Embeddings:
        """Encode images to codes (or embeddings), the same way for both roles."""
        del role
        features = self.features(images)
        # A part at a time: float64 copies of a large database would not fit beside it.
        parts = [features[start : start + _ROWS] for start in range(0, len(features), _ROWS)]
        outputs = torch.cat([self.project(part.double() - self.mean) for part in parts])
        if self.binary:
            return Codes.from_outputs(outputs.numpy())
        return Embeddings(outputs.float().numpy())


class ShallowMethod(FeatureMethod):
    """A method that learns from features alone; a subclass defines `learn` and `project`.

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
        """Learn from the features; labels are not read."""
        del data
        self.learn(centred, generator)


class LinearMethod(ShallowMethod):
    """A shallow method whose code is sgn((f - mean) P) for a matrix P that it learns or draws.

    Attributes:
        projection: float64 (D, bits), P; set by `fit`.
    """

    projection: Tensor

    def project(self, centred: Tensor) -> Tensor:
        """Map (N, D) to (N, bits)."""
        return centred @ self.projection

    def parameters(self) -> int:
        """Return how many numbers the mean and P have."""
        return super().parameters() + self.projection.numel()


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the entries under a prefix, named without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
