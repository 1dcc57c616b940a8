"""Residual networks: ResNet-18, -34 and -50, and a narrow one for small images."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Final, Literal, cast

import timm
from pydantic import Field
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from hashbench.core.errors import DataError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import UnpublishedBackbone, load_trunk
from hashbench.methods.interface import Backbone, BackboneOutput

_SMALL_IMAGE: Final = 64
_NECK_DROPOUT: Final = 0.5
_PAPER: Final = "He, Zhang, Ren, Sun, CVPR 2016"
_CITATION: Final = "he2016resnet"


def _kaiming_conv(inputs: int, outputs: int, *, kernel: int, stride: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


class _ResNet(Backbone):
    """One of timm's residual networks, up to global average pooling.

    Attributes:
        name: The backbone's name, timm's too.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            stem: ``auto`` is the small stem for images of at most 64 px; published weights fit only
                the ``standard`` one.
            stem_stride: Stride of the small stem.
        """

        stem: Literal["auto", "standard", "small"] = "auto"
        stem_stride: Literal[1, 2] = 1

    neck_dropout: ClassVar[float] = _NECK_DROPOUT
    name: ClassVar[str]

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        self.trunk = cast(ResNet, timm.create_model(self.name, num_classes=0))
        self.feature_dim: int = self.trunk.num_features
        self.small_stem = params.stem == "small" or (
            params.stem == "auto" and image_size <= _SMALL_IMAGE
        )
        if self.small_stem:
            small = _kaiming_conv(3, 64, kernel=3, stride=params.stem_stride)
            self.trunk.add_module("conv1", small)
            self.trunk.add_module("maxpool", nn.Identity())

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to pooled features (N, D)."""
        return BackboneOutput(self.trunk(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load timm's or torchvision's state dict, without the classifier.

        Raises:
            DataError: If a tensor is missing, unknown or has another shape, as the stem's has when
                published weights are loaded with the small stem.
        """
        stem = state.get("conv1.weight")
        if (
            self.small_stem
            and stem is not None
            and stem.shape != self.trunk.state_dict()["conv1.weight"].shape
        ):
            raise DataError(
                f"weights: do not fit {self.name} with its small stem: they were trained with the "
                "7x7 one; set the backbone's parameter stem: standard, or weights: none"
            )
        load_trunk(self.trunk, state, name=self.name, classifier=["fc."])


class ResNet18(_ResNet):
    """ResNet-18 (timm) up to global average pooling, (N, 512).

    For images of at most 64 px the stem is a 3x3 convolution without max-pool, in place of the 7x7
    convolution of stride 2 and the max-pool, after which a 28 px image would be 7x7.
    """

    info = ComponentInfo(title="ResNet-18", paper=_PAPER, citation=_CITATION)
    name: ClassVar[str] = "resnet18"


class ResNet34(_ResNet):
    """ResNet-34 (timm) up to global average pooling, (N, 512); stems as in `ResNet18`."""

    info = ComponentInfo(title="ResNet-34", paper=_PAPER, citation=_CITATION)
    name: ClassVar[str] = "resnet34"


class ResNet50(_ResNet):
    """ResNet-50 (timm) up to global average pooling, (N, 2048); stems as in `ResNet18`.

    The stride of a block that halves the map is in its 3x3 convolution, as in torchvision.
    """

    info = ComponentInfo(title="ResNet-50", paper=_PAPER, citation=_CITATION)
    name: ClassVar[str] = "resnet50"


class ResNetMini(UnpublishedBackbone):
    """A narrow residual network for images of about 28 px, trained from scratch in minutes.

    A 3x3 stem, then three stages of timm's BasicBlock (two 3x3 convolutions and a shortcut) with
    ``width``, 2 and 4 times ``width`` channels, the last two halving the resolution, then global
    average pooling: (N, 4 * width). It is no published architecture.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            width: Channels of the stem and the first stage.
            blocks: Residual blocks a stage.
            stem_stride: Stride of the stem.
        """

        width: int = Field(default=32, ge=4, le=512)
        blocks: int = Field(default=1, ge=1, le=8)
        stem_stride: Literal[1, 2] = 2

    name: ClassVar[str] = "resnet_mini"
    info = ComponentInfo(
        title="ResNet-mini", paper=f"residual blocks of {_PAPER}", citation=_CITATION
    )
    neck_dropout: ClassVar[float] = _NECK_DROPOUT

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        del image_size  # convolutions take any
        widths = [params.width, params.width, 2 * params.width, 4 * params.width]
        stages = [
            _stage(inputs, outputs, blocks=params.blocks, stride=1 if inputs == outputs else 2)
            for inputs, outputs in pairwise(widths)
        ]
        self.feature_dim = widths[-1]
        self.trunk = nn.Sequential(
            _kaiming_conv(3, params.width, kernel=3, stride=params.stem_stride),
            nn.BatchNorm2d(params.width),
            nn.ReLU(inplace=True),
            *stages,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to pooled features (N, 4 * width)."""
        return BackboneOutput(self.trunk(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load the ``state_dict()`` of a network of the same sizes."""
        load_trunk(self.trunk, state, name="resnet_mini", classifier=())


def _stage(inputs: int, outputs: int, *, blocks: int, stride: int) -> nn.Sequential:
    shortcut = nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )
    first = BasicBlock(inputs, outputs, stride, shortcut if stride > 1 else None)
    stage = nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(blocks - 1)))
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock):
            module.zero_init_last()
    return stage
