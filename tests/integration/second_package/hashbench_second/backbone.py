"""A backbone of another package; for tests only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from hashbench.plugin import Backbone, BackboneOutput, BaseParams, ComponentInfo, load_trunk


class SecondBackbone(Backbone):
    """One hidden layer on sixteen average pixels."""

    info: ClassVar[ComponentInfo] = ComponentInfo("Second backbone")
    feature_dim = 24

    def __init__(self, params: BaseParams, *, image_size: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 24), nn.Tanh()
        )

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map (N, 3, H, W) to (N, 24)."""
        return BackboneOutput(self.trunk(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load a state dict of the same trunk."""
        load_trunk(self.trunk, state, name="second_backbone", classifier=())
