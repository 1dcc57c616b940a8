"""AE-ViT: a Vision Transformer whose patch embeddings are enhanced by attention (AEM)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.aem import AEM
from hashbench.methods.backbones.loading import UnpublishedBackbone, bare_keys, load_trunk
from hashbench.methods.backbones.vit import ViT, fit_positions, patch_grid
from hashbench.methods.interface import BackboneOutput

_PAPER: Final = (
    "C. Huang, Deep Hash Image Retrieval Based On Vision Transformer (master thesis); "
    "the inside of AEM is our reconstruction"
)
_CITATION: Final = "huang2023aevit"
_STEM_STRIDE: Final = 4
_ADDED: Final = ("patch_embed.enhance.", "blocks.enhance.")

_ABLATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "full": {"local": True, "channel": True, "spatial": True},
    "none": {"local": False, "channel": False, "spatial": False},
    "local": {"local": True, "channel": False, "spatial": False},
    "channel": {"local": False, "channel": True, "spatial": False},
    "spatial": {"local": False, "channel": False, "spatial": True},
    "channel_spatial": {"local": False, "channel": True, "spatial": True},
    "after_block_0": {"position": "after_block_0"},
    "plain_sigmoid": {"range": 1},
}


class AEMParams(BaseParams):
    """Parameters of the AEM in a backbone.

    Attributes:
        local: Whether AEM has its depthwise convolution.
        channel: Whether AEM weights channels.
        spatial: Whether AEM weights positions.
        position: ``before`` the position embeddings and the encoder, or ``after_block_0`` of it, on
            the patch tokens.
        range: Upper end of the range of AEM's weights. With 1, plain sigmoids, AEM is *not* the
            identity at the start: the map is not the one that pretrained weights were trained on.
    """

    local: bool = True
    channel: bool = True
    spatial: bool = True
    position: Literal["before", "after_block_0"] = "before"
    range: Literal[2, 1] = 2

    presets: ClassVar = _ABLATIONS
    added_later: ClassVar[frozenset[str]] = frozenset({"position", "range"})


class EnhancedPatchEmbedding(nn.Module):
    """Patch embedding, then AEM on the map, then flattening to tokens.

    It replaces timm's patch embedding. The convolution ``proj`` keeps its name, and so its key in
    published weights; ``enhance`` is None if the AEM is elsewhere.
    """

    def __init__(self, proj: nn.Module, enhance: AEM | None) -> None:
        super().__init__()
        self.proj = proj
        self.enhance = enhance

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to patch tokens (N, h * w, D)."""
        features: Tensor = self.proj(images)
        if self.enhance is not None:
            features = self.enhance(features)
        return features.flatten(2).transpose(1, 2)


class EnhancedTokens(AEM):
    """AEM between two blocks of the encoder, on the patch tokens as a map of ``grid`` a side.

    The ``prefix`` tokens before the patches are left as they are; ``parts`` are those of `AEM`.
    """

    def __init__(self, width: int, grid: int, *, prefix: int, **parts: Any) -> None:
        super().__init__(width, grid, **parts)
        self.grid = grid
        self.prefix = prefix

    def forward(self, tokens: Tensor) -> Tensor:
        """Enhance tokens (N, prefix + h * w, D); the shape stays."""
        before, patches = tokens[:, : self.prefix], tokens[:, self.prefix :]
        features = patches.transpose(1, 2).reshape(len(tokens), -1, self.grid, self.grid)
        enhanced = super().forward(features).flatten(2).transpose(1, 2)
        return torch.cat([before, enhanced], dim=1)


class AEViT(ViT):
    """AE-ViT in the sizes of pretrained ViTs.

    AEM is between the patch convolution and the position embeddings. It is the exact identity
    at initialisation, so the network starts as the plain ViT, bit for bit; it learns at the rate of
    the new layers. The presets ``full``, ``none``, ``local``, ``channel``, ``spatial`` and
    ``channel_spatial`` are the ablations of its parts. Two more move it behind the first block
    (``after_block_0``) and give it plain sigmoids (``plain_sigmoid``), with which it is not the
    identity at the start.

    Args:
        params: The parameters.
        image_size: Input side in pixels, a multiple of the patch.
    """

    class Params(AEMParams, ViT.Params):
        """The parameters of `ViT` and of the AEM."""

    info = ComponentInfo(
        title="Attention-enhanced Vision Transformer",
        paper=_PAPER,
        citation=_CITATION,
        reconstruction=True,
    )
    name: ClassVar[str] = "ae_vit"
    added: ClassVar[tuple[str, ...]] = _ADDED

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__(params, image_size=image_size)
        # After the trunk, so that the trunk's first weights are the same in every ablation.
        _enhance(self.trunk, params, grid=self.grid, proj=self.trunk.patch_embed.proj)

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the AEM's parameters."""
        return _enhancing_parameters(self.trunk)


class AEViTMini(UnpublishedBackbone):
    """AE-ViT for images of about 28 px, trained from scratch.

    Patches of 4 (28 = 7 * 4, 32 = 8 * 4) and learned position embeddings; optionally a small
    convolutional stem in place of the patch convolution. The pooled output is the class token after
    the final LayerNorm. The presets are those of `AEViT`.

    Args:
        params: The parameters.
        image_size: Input side in pixels, a multiple of the patch.

    Raises:
        ConfigError: If the patch does not divide the image.
    """

    class Params(AEMParams):
        """Parameters, besides those of the AEM.

        Attributes:
            patch: Patch side in pixels; 4 with the stem ``conv``.
            width: Width D of a token.
            depth: Transformer blocks.
            heads: Attention heads; they divide the width.
            mlp_ratio: Width of a block's hidden layer over D.
            stem: ``patch``, one convolution as wide as its stride; or ``conv``, three 3x3
                convolutions of D/4, D/2 and D channels, strides 1, 2 and 2.
        """

        patch: int = Field(default=4, ge=1, le=64)
        width: int = Field(default=192, ge=8, le=2048, multiple_of=4)
        depth: int = Field(default=6, ge=1, le=48)
        heads: int = Field(default=3, ge=1, le=64)
        mlp_ratio: float = Field(default=4.0, gt=0, le=16)
        stem: Literal["patch", "conv"] = "patch"

        @field_validator("heads")
        @classmethod
        def _divide(cls, heads: int, info: ValidationInfo) -> int:
            width = info.data.get("width")
            if width and width % heads:
                raise ValueError(f"must divide the width {width}")
            return heads

        @field_validator("stem")
        @classmethod
        def _fits(cls, stem: str, info: ValidationInfo) -> str:
            if stem == "conv" and info.data.get("patch") not in (None, _STEM_STRIDE):
                raise ValueError(f"the conv stem has stride {_STEM_STRIDE}; set patch: 4")
            return stem

    name: ClassVar[str] = "ae_vit_mini"
    info = ComponentInfo(
        title="Attention-enhanced Vision Transformer, mini",
        paper=_PAPER,
        citation=_CITATION,
        reconstruction=True,
    )
    has_tokens: ClassVar[bool] = True

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        grid = patch_grid(self.name, image_size=image_size, patch=params.patch)
        self.trunk = VisionTransformer(
            img_size=image_size,
            patch_size=params.patch,
            embed_dim=params.width,
            depth=params.depth,
            num_heads=params.heads,
            mlp_ratio=params.mlp_ratio,
            num_classes=0,
        )
        self.feature_dim = params.width
        self.prefix_tokens: int = self.trunk.num_prefix_tokens
        proj = _stem(params.width) if params.stem == "conv" else self.trunk.patch_embed.proj
        _enhance(self.trunk, params, grid=grid, proj=proj)

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to (N, D) and tokens (N, tokens, D)."""
        tokens: Tensor = self.trunk.forward_features(images)
        return BackboneOutput(tokens[:, 0], tokens)

    def new_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the AEM and of the convolutional stem."""
        proj = self.trunk.patch_embed.proj
        stem = [] if isinstance(proj, nn.Conv2d) else list(proj.parameters())
        return stem + _enhancing_parameters(self.trunk)

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load a plain ViT of the same sizes, or the ``state_dict()`` of this network.

        Position embeddings are fitted to the grid.

        Raises:
            DataError: If a tensor is missing, unknown or has another shape, as the weights of a
                patch convolution have for the convolutional stem.
        """
        fitted = fit_positions(self.trunk, bare_keys(state))
        load_trunk(self.trunk, fitted, name=self.name, classifier=["head."], added=_ADDED)


def _enhance(trunk: VisionTransformer, params: AEMParams, *, grid: int, proj: nn.Module) -> None:
    """Insert the patch convolution ``proj`` and an AEM into the trunk."""
    parts: dict[str, Any] = {
        "local": params.local,
        "channel": params.channel,
        "spatial": params.spatial,
        "reach": params.range,
    }
    width, prefix = trunk.embed_dim, trunk.num_prefix_tokens
    if params.position == "before":
        trunk.patch_embed = EnhancedPatchEmbedding(proj, AEM(width, grid, **parts))
        return
    trunk.patch_embed = EnhancedPatchEmbedding(proj, None)
    # By name, so that the blocks keep their keys in published weights.
    first, *rest = trunk.blocks.named_children()
    enhance = EnhancedTokens(width, grid, prefix=prefix, **parts)
    blocks = OrderedDict([first, ("enhance", enhance), *rest])
    trunk.blocks = nn.Sequential(blocks)


def _enhancing_parameters(trunk: nn.Module) -> list[nn.Parameter]:
    modules = [module for module in trunk.modules() if isinstance(module, AEM)]
    return [parameter for module in modules for parameter in module.parameters()]


def _stem(width: int) -> nn.Sequential:
    quarter, half = width // 4, width // 2
    return nn.Sequential(
        nn.Conv2d(3, quarter, 3, padding=1, bias=False),
        nn.BatchNorm2d(quarter),
        nn.GELU(),
        nn.Conv2d(quarter, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.GELU(),
        nn.Conv2d(half, width, 3, stride=2, padding=1),
    )
