"""The trained networks, and their outputs over a whole image stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from hashbench.core.cell import Precision
from hashbench.core.codes import Codes
from hashbench.methods.building_blocks.features import BackboneFeatures, evaluating
from hashbench.methods.heads import Head
from hashbench.methods.interface import Backbone, BackboneOutput, DivergedError, ImageStream

ENCODE_BATCH = 256


class HashNetwork(nn.Module):
    """A backbone with a head: images to code outputs and pooled features.

    A frozen backbone stays in eval mode. With ``channels_last``, images and filters have the
    channels innermost in memory.
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
        """Set the mode of the parts that are trained."""
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


class FeatureNetwork(nn.Module):
    """A head on cached features: the trained part of a network with a frozen backbone."""

    def __init__(self, head: Head, *, precision: Precision) -> None:
        super().__init__()
        self.head = head
        self._bf16 = precision is Precision.BF16

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (n, D) to outputs (n, bits), float32, and the unchanged features."""
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self._bf16):
            codes: Tensor = self.head(BackboneOutput(features))
        return codes.float(), features


class CachedFeatures:
    """An `ImageStream` whose batches are pooled features, computed once by the constructor."""

    def __init__(self, images: ImageStream, extract: BackboneFeatures) -> None:
        self._images = images
        self.features = extract(images).to(extract.device)

    def __len__(self) -> int:
        return len(self.features)

    def pixels(self, indices: Tensor) -> Tensor:
        """Unresized images, float32 (n, channels, height, width) in [0, 1]."""
        return self._images.pixels(indices)

    def batch(
        self, indices: Tensor, augment_with: torch.Generator | None = None, *, view: int = 0
    ) -> Tensor:
        """Features, float32 (n, D); always of the un-augmented images."""
        del augment_with, view
        return self.features[indices.to(self.features.device)]

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, in int64 tensors of at most ``size``."""
        return self._images.blocks(size)


@torch.no_grad()
def run_over(
    network: nn.Module,
    images: ImageStream,
    take: Callable[[tuple[Tensor, Tensor]], Tensor],
    *,
    indices: Tensor | None = None,
) -> Tensor:
    """Run a network in eval mode over un-augmented images, all in order or int64 ``indices`` (n,).

    Returns:
        What ``take`` selects of outputs and features: float32 (N, bits) or (N, D), on the device.
    """
    chosen = images.blocks(ENCODE_BATCH) if indices is None else torch.split(indices, ENCODE_BATCH)
    with evaluating(network):
        return torch.cat([take(network(images.batch(block))) for block in chosen])


def encode_outputs(network: nn.Module, images: ImageStream) -> Codes:
    """Compute the codes of all images: the sign of the head's outputs, sgn(0) = +1.

    Raises:
        DivergedError: If an output is NaN or infinite.
    """
    outputs = run_over(network, images, lambda pair: pair[0])
    if not bool(torch.isfinite(outputs).all()):
        raise DivergedError("the trained network's outputs are not finite")
    return Codes.from_outputs(outputs.cpu().numpy())


class TrainingOutputs:
    """The network's present outputs over the training set, for the hooks of a loss."""

    def __init__(self, network: nn.Module, images: ImageStream) -> None:
        self._network = network
        self._images = images

    def outputs(self, indices: Tensor | None = None) -> Tensor:
        """Outputs of the head, float32 (N, bits); of some images only if int64 (n,) is given."""
        return run_over(self._network, self._images, lambda pair: pair[0], indices=indices)

    def features(self) -> Tensor:
        """Pooled backbone features, float32 (N, D)."""
        return run_over(self._network, self._images, lambda pair: pair[1])
