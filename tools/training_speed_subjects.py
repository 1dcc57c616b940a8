"""What the speed measurement trains: one network with its loss and optimiser, by any stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.core.cell import Cell, DataChoice, Head, Precision, Schedule, TrainSettings
from hashbench.core.registry import Kind, registry
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.methods.heads import build_head
from hashbench.methods.interface import (
    Backbone,
    HashLoss,
    ImageStream,
    LossContext,
    TrainContext,
    TrainView,
)
from hashbench.training.determinism import generator
from hashbench.training.images import DeviceImages
from hashbench.training.loop import Loop
from hashbench.training.network import FeatureNetwork, HashNetwork
from hashbench.training.optimisation import build_optimiser
from hashbench.training.phases import PhaseClock

SIDE, HELD_SIDE, CLASSES, BITS = 224, 256, 10, 64
PROTOCOL = "digits@1"  # any: the normalisation is ImageNet's


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a training.

    Attributes:
        images: Trained on.
        seconds: Of the epoch.
        data_seconds: Of those, waiting for images.
    """

    images: int
    seconds: float
    data_seconds: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    @property
    def data_share(self) -> float:
        """The share of the time that was spent waiting for images."""
        return self.data_seconds / self.seconds


class ResidentBatch:
    """An `ImageStream` that gives one batch, made beforehand, again and again.

    Args:
        batch: (n, 3, H, W), the network input; its first rows serve smaller batches.
        length: How many images it pretends to have.
    """

    def __init__(self, batch: Tensor, length: int) -> None:
        self._batch = batch
        self._length = length

    def __len__(self) -> int:
        return self._length

    def pixels(self, indices: Tensor) -> Tensor:
        """The same as `batch`."""
        return self.batch(indices)

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """The first rows of the batch."""
        del augment_with, view
        return self._batch[: len(indices)]

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, in tensors of at most ``size``."""
        yield from torch.split(torch.arange(self._length), size)


@dataclass(frozen=True, slots=True)
class Mode:
    """How a subject computes.

    Attributes:
        precision: Of the network.
        channels_last: Whether channels are innermost in memory.
        fused: Whether the optimiser is fused.
    """

    precision: Precision = Precision.FP32
    channels_last: bool = False
    fused: bool = False


FIELD = Mode()
"""As published code computes."""
FAST_FP32 = Mode(channels_last=True, fused=True)
FAST_BF16 = Mode(Precision.BF16, channels_last=True, fused=True)


def settings(batch_size: int, mode: Mode) -> TrainSettings:
    """Training settings of one epoch with Adam."""
    return TrainSettings(
        recipe="ours",
        modified=(),
        optimiser="adam",
        lr=1e-4,
        backbone_lr=1e-5,
        weight_decay=1e-5,
        momentum=0.0,
        nesterov=False,
        schedule=Schedule("constant"),
        epochs=1,
        batch_size=batch_size,
        augmentation="crop_flip",
        channels_last=mode.channels_last,
        fused=mode.fused,
    )


def choice(side: int) -> DataChoice:
    """The network's input."""
    return DataChoice("speed", 1, PROTOCOL, "", image_size=side, normalisation="imagenet")


def protocol() -> ProtocolSpec:
    """A protocol, of which nothing is used."""
    return load_protocol(PROTOCOL)


def image_stream(
    held: NDArray[np.uint8], mode: Mode, *, length: int, device: torch.device, side: int = SIDE
) -> DeviceImages:
    """Decoded squares as the product streams them, over and over up to a length."""
    return DeviceImages(
        held,
        positions=np.arange(length) % len(held),
        choice=choice(side),
        protocol=protocol(),
        augmentation="crop_flip",
        device=device,
        channels_last=mode.channels_last,
    )


def one_hot(length: int, device: torch.device) -> Tensor:
    """Labels, float32 (length, classes)."""
    return torch.eye(CLASSES, device=device)[torch.arange(length, device=device) % CLASSES]


def build_loss(name: str, *, length: int, batch_size: int, device: torch.device) -> HashLoss:
    """A loss with its defaults, set up for so many images."""
    cls: type[HashLoss] = registry().load(Kind.LOSS, name)
    loss = cls(cls.Params())
    loss.setup(
        LossContext(
            labels=one_hot(length, device),
            bits=BITS,
            multilabel=False,
            epochs=1,
            batch_size=batch_size,
            generator=generator(0),
            device=device,
        )
    )
    return loss.to(device)


class Subject:
    """A network, a loss and an optimiser, trained by the product's own loop.

    Args:
        network: On the device.
        loss: Set up for as many images as streams will have.
        mode: How it computes.
        batch_size: Images a step.
        device: Where it is.
    """

    def __init__(
        self,
        network: HashNetwork | FeatureNetwork,
        loss: HashLoss,
        *,
        mode: Mode,
        batch_size: int,
        device: torch.device,
    ) -> None:
        self.network, self.loss, self.mode = network, loss, mode
        self.device = device
        self.settings = settings(batch_size, mode)
        trunk = network.backbone if isinstance(network, HashNetwork) else None
        self.optimiser = build_optimiser(
            self.settings,
            new=[*network.head.parameters(), *loss.parameters()],
            backbone=trunk.parameters() if trunk else [],
        )

    def train(self, images: ImageStream) -> Turn:
        """Train one epoch on a stream."""
        clock, draw = PhaseClock(self.device), generator(0)
        labels = one_hot(len(images), self.device)
        cell = Cell(choice(SIDE), BITS, 0, train=self.settings)
        loop = Loop(
            network=self.network,
            loss=self.loss,
            optimiser=self.optimiser,
            data=TrainView(images, labels, multilabel=False),
            settings=self.settings,
            ctx=TrainContext(cell, self.device),
            generator=draw,
            clock=clock,
            drop_last=False,
        )
        loop.run()
        return Turn(loop.images_seen, clock.seconds["train"], loop.steps.read()["data"])


def build_subject(
    backbone: str,
    mode: Mode,
    *,
    length: int,
    batch_size: int,
    device: torch.device,
    side: int = SIDE,
) -> Subject:
    """A backbone with a linear head and HashNet's loss, fresh weights.

    Args:
        backbone: Its name in the registry.
        mode: How it computes.
        length: Images of the streams it will be trained on.
        batch_size: Images a step.
        device: Where.
        side: Of its input, in pixels.
    """
    cls: type[Backbone] = registry().load(Kind.BACKBONE, backbone)
    torch.manual_seed(0)
    trunk = cls(cls.Params(), image_size=side).to(device)
    head = build_head(Head(), trunk.feature_dim, bits=BITS).to(device)
    network = HashNetwork(trunk, head, precision=mode.precision, channels_last=mode.channels_last)
    loss = build_loss("hashnet", length=length, batch_size=batch_size, device=device)
    return Subject(network, loss, mode=mode, batch_size=batch_size, device=device)
