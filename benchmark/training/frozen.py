"""Training on the cached features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hashbench.core.cell import Precision
from hashbench.methods.building_blocks.features import BackboneFeatures
from hashbench.methods.heads import Head
from hashbench.methods.interface import BackboneOutput, ImageStream


class CachedFeatures:
    """An `ImageStream` whose batches are rows of pooled features, computed in one pass.

    Args:
        images: The images; passed through the backbone here, and not again.
        extract: The backbone, in eval mode.
    """

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
        """Features, float32 (n, D); of the un-augmented images, whatever is asked."""
        del augment_with, view
        return self.features[indices.to(self.features.device)]

    def blocks(self, size: int) -> Iterator[Tensor]:
        """All positions in order, in int64 tensors of at most ``size``."""
        return self._images.blocks(size)


class FeatureNetwork(nn.Module):
    """A head on cached features: all that learns when the backbone is frozen.

    Args:
        head: The head.
        precision: ``bf16`` runs it under autocast; what comes out is float32 all the same.
    """

    def __init__(self, head: Head, *, precision: Precision) -> None:
        super().__init__()
        self.head = head
        self._bf16 = precision is Precision.BF16

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (n, D) to outputs (n, bits), float32, and the features as they are."""
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self._bf16):
            codes: Tensor = self.head(BackboneOutput(features))
        return codes.float(), features
