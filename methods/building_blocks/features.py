"""Feature extractors: the pixels or a backbone's output, for shallow methods and the pre-pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from hashbench.core.cell import Precision
from hashbench.methods.interface import Backbone, ImageStream

FeatureExtractor: TypeAlias = Callable[[ImageStream], Tensor]
"""Maps all images of a stream, in order, to float32 (N, D) on the CPU."""

_BATCH: Final = 256


class FeatureMemory(Protocol):
    """A store of features that may have been computed before."""

    def features(self, extractor: BackboneFeatures, images: ImageStream) -> Tensor:
        """Return what ``extractor.extract(images)`` returns, computed or remembered."""
        ...


class PixelFeatures:
    """The unresized pixels, flattened: float32 (N, channels * height * width) in [0, 1]."""

    def __call__(self, images: ImageStream) -> Tensor:
        """Flatten every image of the stream."""
        return torch.cat(
            [images.pixels(block).flatten(1).float().cpu() for block in images.blocks(_BATCH)]
        )


class BackboneFeatures:
    """A backbone's pooled output on un-augmented images, in eval mode, without gradient.

    Args:
        backbone: Moved to the device; its mode (train or eval) is the same afterwards.
        device: The device to compute on.
        precision: ``bf16`` runs the network under autocast; features are float32 nevertheless.
        memory: A store of features computed before; None computes them every time.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device,
        *,
        precision: Precision,
        memory: FeatureMemory | None = None,
    ) -> None:
        self.backbone = backbone.to(device)
        self.device = device
        self.precision = precision
        self._memory = memory

    def __call__(self, images: ImageStream) -> Tensor:
        """Return the features of every image of the stream, float32 (N, feature_dim)."""
        return self._memory.features(self, images) if self._memory else self.extract(images)

    @torch.no_grad()
    def extract(self, images: ImageStream) -> Tensor:
        """Compute the features of every image of the stream, float32 (N, feature_dim)."""
        bf16 = self.precision is Precision.BF16
        blocks = []
        with (
            evaluating(self.backbone),
            torch.autocast(self.device.type, torch.bfloat16, enabled=bf16),
        ):
            for block in images.blocks(_BATCH):
                batch = images.batch(block).to(self.device)
                pooled = self.backbone(batch).pooled
                # A copy: a transformer's pooled output is a view that would keep every token.
                blocks.append(pooled.to("cpu", torch.float32, copy=True))
        return torch.cat(blocks)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into eval mode within a ``with`` block."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
