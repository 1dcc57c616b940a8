"""My backbone: say in one line what this backbone is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import load_trunk
from hashbench.methods.interface import Backbone, BackboneOutput


class MyBackbone(Backbone):
    """Two convolutions and an average pool: name the paper and year here."""

    class Params(BaseParams):
        """Parameters: ``width``, the channels of the features."""

        width: int = Field(32, ge=4)

    name: ClassVar[str] = "my_backbone"
    info: ClassVar[ComponentInfo] = ComponentInfo("My backbone")

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        del image_size  # convolutions take any
        self.feature_dim = params.width
        self.trunk = nn.Sequential(
            nn.Conv2d(3, params.width, 3, stride=2, padding=1),
            nn.BatchNorm2d(params.width),
            nn.ReLU(),
            nn.Conv2d(params.width, params.width, 3, stride=2, padding=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to pooled features (N, width)."""
        return BackboneOutput(self.trunk(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load a state dict of the same trunk.

        Raises:
            DataError: If a tensor is missing, unknown or has another shape.
        """
        load_trunk(self.trunk, state, name="my_backbone", classifier=())
