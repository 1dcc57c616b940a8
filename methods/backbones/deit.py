"""DeiT: the Vision Transformer trained on ImageNet-1k alone, with or without distillation token."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from hashbench.core.info import ComponentInfo
from hashbench.methods.backbones.vit import ViT
from hashbench.methods.interface import BackboneOutput


class DeiT(ViT):
    """DeiT in timm's layout, patches of 16.

    Undistilled it is the architecture of `ViT` with other published weights and their
    normalisation. Distilled it has a second token before the patches, and the pooled output is the
    mean of class and distillation token: the paper adds the outputs of a classifier of each.

    Args:
        params: The parameters.
        image_size: Input side in pixels, a multiple of 16.
    """

    class Params(ViT.Params):
        """Parameters.

        Attributes:
            variant: ``tiny`` (D 192), ``small`` (384) or ``base`` (768); 12 blocks each.
            patch: Patch side in pixels.
            distilled: Whether there is a distillation token.
        """

        variant: Literal["tiny", "small", "base"] = "small"
        patch: Literal[16] = 16
        distilled: bool = False

        @property
        def architecture(self) -> str:
            """Return the network's name in timm."""
            distilled = "_distilled" if self.distilled else ""
            return f"deit_{self.variant}{distilled}_patch{self.patch}_224"

    info = ComponentInfo(
        title="Data-efficient image Transformer",
        paper="Touvron et al., ICML 2021",
        citation="touvron2021deit",
    )
    pretrained_normalisation: ClassVar[str] = "imagenet"
    name: ClassVar[str] = "deit"

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to (N, D) and tokens (N, tokens, D)."""
        tokens: Tensor = self.trunk.forward_features(images)
        return BackboneOutput(tokens[:, : self.prefix_tokens].mean(1), tokens)
