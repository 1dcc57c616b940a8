"""AlexNet in torchvision's layout, up to the ReLU after fc7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Self

from torch import Tensor, nn
from torchvision.models import alexnet

from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams
from hashbench.methods.backbones.loading import load_trunk
from hashbench.methods.interface import Backbone, BackboneOutput

_FC8: Final = "classifier.6."
_SMALLEST: Final = 63
_FEATURES: Final = 4096


class AlexNet(Backbone):
    """AlexNet without fc8, whose place the hash layer takes; fc6 and fc7 keep their weights.

    The adaptive pool is kept, so that other sizes than 224 work. The features are the output of
    the second ReLU (fc7), (N, 4096).

    Args:
        params: The parameters.
        image_size: Input side in pixels, at least 63.

    Raises:
        ConfigError: If the image is too small for the convolutions.
    """

    class Params(BaseParams):
        """Parameters.

        Attributes:
            dropout_eval: Whether to keep dropout in eval mode during training, as one public
                framework does.
        """

        dropout_eval: bool = False

    info = ComponentInfo(
        title="AlexNet",
        paper="Krizhevsky, arXiv 1404.5997, 2014 (torchvision's layout)",
        citation="krizhevsky2014weird",
    )
    image_size: ClassVar[int | None] = 224
    params: Params

    def __init__(self, params: Params, *, image_size: int) -> None:
        super().__init__()
        if image_size < _SMALLEST:
            raise ConfigError(
                f"alexnet: image_size {image_size} is too small; use at least {_SMALLEST}"
            )
        self.params = params
        self.feature_dim = _FEATURES
        self.trunk = alexnet(weights=None)
        self.trunk.classifier = self.trunk.classifier[:-1]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; with ``dropout_eval`` dropout stays in eval mode."""
        super().train(mode)
        if self.params.dropout_eval:
            for module in self.modules():
                if isinstance(module, nn.Dropout):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> BackboneOutput:
        """Map float images (N, 3, H, W), normalised, to fc7's features (N, 4096)."""
        return BackboneOutput(self.trunk(images))

    def load_pretrained(self, state: Mapping[str, Tensor]) -> None:
        """Load torchvision's state dict, without fc8."""
        load_trunk(self.trunk, state, name="alexnet", classifier=[_FC8])
