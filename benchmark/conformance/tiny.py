"""Images, labels, a backbone and a loss so small that a whole training takes a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from typing import ClassVar

import torch
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.interface import (
    Backbone,
    BackboneOutput,
    HashBatch,
    HashLoss,
    LossContext,
    LossTerms,
)

CLASSES = 4
WIDTH = 8  # of the tiny backbone's features


def single_labels(count: int) -> Tensor:
    """One label an image, all classes in turn: float32 (count, 4)."""
    return torch.eye(CLASSES)[torch.arange(count) % CLASSES]


def multi_labels(count: int) -> Tensor:
    """One to three labels an image, and every eighth without any: float32 (count, 4)."""
    labels = single_labels(count)
    labels[1::3, 0] = 1
    labels[2::5, 1] = 1
    labels[7::8] = 0
    return labels


class TinyImages:
    """An `ImageStream` of images that show the patterns of their classes, with noise.

    Args:
        labels: (N, classes), multi-hot; an image shows the mean of its classes' patterns.
        size: Side in pixels.
    """

    def __init__(self, labels: Tensor, *, size: int, device: torch.device) -> None:
        draw = torch.Generator().manual_seed(0)
        patterns = torch.rand((labels.shape[1], 3, size, size), generator=draw)
        shares = labels / labels.sum(1, keepdim=True).clamp_min(1)
        clean = (shares @ patterns.flatten(1)).view(-1, 3, size, size)
        noise = torch.rand(clean.shape, generator=draw)
        self._images = (0.7 * clean + 0.3 * noise).to(device)

    def __len__(self) -> int:
        return len(self._images)

    def part(self, positions: slice) -> TinyImages:
        """Return a stream of some of the images."""
        part = copy(self)
        part._images = self._images[positions]
        return part

    def pixels(self, indices: Tensor) -> Tensor:
        """Images, float32 (n, 3, size, size) in [0, 1]."""
        return self._images[indices.to(self._images.device)]

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """Network input, (n, 3, size, size); with some noise if a generator is given."""
        del view
        images = 2 * self.pixels(indices) - 1
        if augment_with is None:
            return images
        noise = torch.randn(images.shape, generator=augment_with)
        return images + 0.05 * noise.to(images.device)

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, in int64 tensors of at most ``size``."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield torch.arange(start, stop, device=self._images.device)


class TinyBackbone(Backbone):
    """One layer on the flattened image, with dropout so that training draws random numbers."""

    info: ClassVar[ComponentInfo] = ComponentInfo("tiny backbone")
    feature_dim = WIDTH

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3 * image_size**2, WIDTH), nn.Tanh(), nn.Dropout(0.1))

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map (N, 3, S, S) to (N, 8)."""
        return BackboneOutput(self.trunk(images.flatten(1)))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load what ``state_dict()`` gave."""
        self.load_state_dict(dict(state))


class TinyLoss(HashLoss):
    """Pulls outputs to a random centre of their class."""

    info: ClassVar[ComponentInfo] = ComponentInfo("tiny loss")
    centres: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Draw the centres."""
        size = (ctx.labels.shape[1], ctx.bits)
        self.register_buffer("centres", torch.randn(size, generator=ctx.generator).to(ctx.device))

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        return LossTerms({"pull": (batch.outputs - batch.labels @ self.centres).square().mean()})
