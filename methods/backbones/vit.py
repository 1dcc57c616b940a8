"""Vision Transformer (timm), pooled by its class token."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import ClassVar, Final, Literal, cast

import timm
from pydantic import ValidationInfo, field_validator
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import bare_keys, load_trunk
from hashbench.methods.interface import Backbone, BackboneOutput

_POSITIONS: Final = "pos_embed"
_CLASSIFIERS: Final = ("head.", "head_dist.")  # the second is that of a distillation token


def patch_grid(name: str, *, image_size: int, patch: int) -> int:
    """Return the number of patches a side.

    Raises:
        ConfigError: If the patch does not divide the image.
    """
    if image_size % patch:
        raise ConfigError(
            f"{name}: a patch of {patch} does not divide the image_size {image_size}; "
            f"use a multiple of {patch}"
        )
    return image_size // patch


def fit_positions(trunk: VisionTransformer, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy published tensors, with the position embeddings resized to the trunk's grid.

    They are interpolated bicubically, except those of the class token and other prefix tokens. What
    is no square grid of the right width is left as it is, and strict loading refuses it.
    """
    fitted, given, wanted = dict(state), state.get(_POSITIONS), trunk.pos_embed
    if given is None or wanted is None or given.ndim != wanted.ndim:
        return fitted
    prefix = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
    old, new = given.shape[1] - prefix, wanted.shape[1] - prefix
    if old > 0 and old != new and isqrt(old) ** 2 == old:
        fitted[_POSITIONS] = resample_abs_pos_embed(
            given.float(), new_size=[isqrt(new)] * 2, num_prefix_tokens=prefix
        )
    return fitted


class ViT(Backbone):
    """Vision Transformer; the pooled output is the class token after the final LayerNorm.

    ``tokens`` are all tokens after the final LayerNorm, the class token and any other prefix token
    first.

    Args:
        params: The parameters.
        image_size: Input side in pixels, a multiple of the patch.

    Attributes:
        name: The backbone's name, for errors.
        added: Prefixes of those keys of the trunk that published files lack.
        prefix_tokens: Number of tokens before the patches in ``tokens``.

    Raises:
        ConfigError: If the patch does not divide the image.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            variant: ``tiny`` (D 192), ``small`` (384) or ``base`` (768); 12 blocks each.
            patch: Patch side in pixels; timm has ``tiny`` with 16 only.
        """

        variant: Literal["tiny", "small", "base"] = "base"
        patch: Literal[16, 32] = 16

        @property
        def architecture(self) -> str:
            """Return the network's name in timm."""
            return _timm_name(self.variant, self.patch)

        @field_validator("patch")
        @classmethod
        def _exists(cls, patch: int, info: ValidationInfo) -> int:
            variant = info.data.get("variant")
            if variant and not timm.is_model(_timm_name(variant, patch)):
                raise ValueError(f"timm has no {_timm_name(variant, patch)}")
            return patch

    info = ComponentInfo(
        title="Vision Transformer",
        paper="Dosovitskiy et al., ICLR 2021",
        citation="dosovitskiy2021vit",
    )
    image_size: ClassVar[int | None] = 224
    pretrained_normalisation: ClassVar[str] = "half"
    has_tokens: ClassVar[bool] = True
    name: ClassVar[str] = "vit"
    added: ClassVar[tuple[str, ...]] = ()
    trunk: VisionTransformer

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        self.grid = patch_grid(self.name, image_size=image_size, patch=params.patch)
        trunk = timm.create_model(params.architecture, num_classes=0, img_size=image_size)
        self.trunk = cast(VisionTransformer, trunk)
        self.feature_dim: int = self.trunk.num_features
        self.prefix_tokens: int = self.trunk.num_prefix_tokens

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to (N, D) and tokens (N, tokens, D)."""
        tokens: Tensor = self.trunk.forward_features(images)
        return BackboneOutput(tokens[:, 0], tokens)

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load timm's state dict, without the classifier, its positions fitted to the grid."""
        fitted = fit_positions(self.trunk, bare_keys(state))
        load_trunk(self.trunk, fitted, name=self.name, classifier=_CLASSIFIERS, added=self.added)


def _timm_name(variant: str, patch: int) -> str:
    return f"vit_{variant}_patch{patch}_224"
