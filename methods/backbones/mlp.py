"""A one-layer perceptron on pixels, for tiny images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import UnpublishedBackbone, load_trunk
from hashbench.methods.interface import BackboneOutput


class MLP(UnpublishedBackbone):
    """One linear layer and a ReLU on flattened grey pixels: features (N, width).

    The three input channels are averaged, so that an 8 x 8 image is 64 inputs; colour is lost. The
    channels of a grey image are equal, and their average is exactly their value.

    It is no published network: it is made for tiny images such as those of ``digits``, on which a
    training takes seconds. Its input grows with the area of the image.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            width: Number of outputs of the layer.
        """

        width: int = Field(default=256, ge=1, le=8192)

    name: ClassVar[str] = "mlp"
    info = ComponentInfo(title="Perceptron on pixels")

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        self.feature_dim = params.width
        self.trunk = nn.Sequential(nn.Linear(image_size**2, params.width), nn.ReLU())

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to features (N, width)."""
        return BackboneOutput(self.trunk(_grey(images).flatten(1)))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load the ``state_dict()`` of a network of the same sizes."""
        load_trunk(self.trunk, state, name="mlp", classifier=())


def _grey(images: Tensor) -> Tensor:
    """Return the mean of the channels, (N, H, W); of equal values it is exactly their value."""
    first = images[:, 0]
    # Summing and dividing by 3 would round.
    return first + (images - first[:, None]).mean(1)
