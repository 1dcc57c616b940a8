"""A backbone and a head as one network, and its outputs over a whole stream."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hashbench.core.cell import Precision
from hashbench.methods.heads import Head
from hashbench.methods.interface import Backbone, ImageStream

ENCODE_BATCH = 256


class HashNetwork(nn.Module):
    """Images to code outputs and pooled features.

    Args:
        backbone: The backbone.
        head: The head on top of it.
        precision: ``bf16`` runs both under autocast; what comes out is float32 all the same.
        frozen: Whether the backbone stays in eval mode and gets no gradient.
        channels_last: Whether images and filters have the channels innermost in memory.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Head,
        *,
        precision: Precision,
        frozen: bool = False,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.backbone = backbone
        self.head = head
        self._bf16 = precision is Precision.BF16
        self._format = torch.channels_last if channels_last else torch.preserve_format
        backbone.to(memory_format=self._format)

    def train(self, mode: bool = True) -> HashNetwork:
        """Set the mode of all that learns."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, 3, H, W) to outputs (n, bits) and features (n, D), both float32."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._bf16):
            output = self.backbone(images.to(memory_format=self._format))
            codes = self.head(output)
        return codes.float(), output.pooled.float()


@torch.no_grad()
def run_over(
    network: nn.Module,
    images: ImageStream,
    take: Callable[[tuple[Tensor, Tensor]], Tensor],
    *,
    indices: Tensor | None = None,
) -> Tensor:
    """Run the network in eval mode over un-augmented images, all of them in order if not told.

    Args:
        network: Gives outputs and features; left in the mode it came in.
        images: The stream.
        take: Which of outputs and features to keep.
        indices: int64 (n,), the positions to run over; None for all N.

    Returns:
        float32 (N, bits) or (N, D), on the network's device.
    """
    chosen = images.blocks(ENCODE_BATCH) if indices is None else torch.split(indices, ENCODE_BATCH)
    training = network.training
    network.eval()
    try:
        blocks = [take(network(images.batch(block))) for block in chosen]
    finally:
        network.train(training)
    return torch.cat(blocks)


class TrainingOutputs:
    """The network's present outputs over the training set, for a loss's hooks."""

    def __init__(self, network: nn.Module, images: ImageStream) -> None:
        self._network = network
        self._images = images

    def outputs(self, indices: Tensor | None = None) -> Tensor:
        """Outputs of the head, float32 (N, bits); of some images only if int64 (n,) is given."""
        return run_over(self._network, self._images, lambda pair: pair[0], indices=indices)

    def features(self) -> Tensor:
        """Pooled backbone features, float32 (N, D)."""
        return run_over(self._network, self._images, lambda pair: pair[1])
