"""A one-layer perceptron on raw pixels, for toys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import load_trunk, nothing_published
from hashbench.methods.interface import Backbone, BackboneOutput


class MLP(Backbone):
    """Flattened grey pixels through one linear layer and a ReLU: (N, width).

    The three input channels are averaged. Those of a grey image are equal, and the average gives
    their value exactly, so that an 8 x 8 image is 64 inputs. Colour is lost.

    It is ours, made for tiny images such as those of ``digits``, on which a training takes seconds;
    its input grows with the area of the image.

    Args:
        params: The parameters.
        image_size: Input side in pixels; any.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            width: Outputs of the layer.
        """

        width: int = Field(default=256, ge=1, le=8192)

    info: ClassVar[ComponentInfo] = ComponentInfo(title="Perceptron on pixels")

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        self.feature_dim = params.width
        self.trunk = nn.Sequential(nn.Linear(image_size**2, params.width), nn.ReLU())

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to features (N, width)."""
        return BackboneOutput(self.trunk(_grey(images).flatten(1)))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load what the same network's ``state_dict()`` gave; nothing is published for it.

        Raises:
            DataError: If a tensor is missing, unknown or has another shape.
        """
        load_trunk(self.trunk, state, name="mlp", classifier=())

    @classmethod
    def fetch_pretrained(cls, params: BaseParams, tag: str) -> Mapping[str, Tensor]:
        """Refuse: nothing is published for this network.

        Raises:
            DataError: Always.
        """
        del params
        raise nothing_published("mlp", tag)


def _grey(images: Tensor) -> Tensor:
    """The mean of the channels, (N, H, W); that of equal values is exactly their value."""
    first = images[:, 0]
    # Summing and dividing by 3 would round.
    return first + (images - first[:, None]).mean(1)
