"""Hash heads: a neck from a backbone's output to features, and a last layer to K real outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor, nn

from hashbench.core.cell import Head as HeadChoice
from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.methods.head_names import LAST_LAYERS, NECKS
from hashbench.methods.interface import BackboneOutput

_INIT_STD: Final = 0.01


def _projection(feature_dim: int, bits: int, *, bias: bool) -> nn.Linear:
    layer = nn.Linear(feature_dim, bits, bias=bias)
    nn.init.normal_(layer.weight, std=_INIT_STD)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _linear(feature_dim: int, bits: int) -> nn.Module:
    return _projection(feature_dim, bits, bias=True)


def _bn(feature_dim: int, bits: int) -> nn.Module:
    return nn.Sequential(_projection(feature_dim, bits, bias=False), nn.BatchNorm1d(bits))


def _ln_tanh(feature_dim: int, bits: int) -> nn.Module:
    return nn.Sequential(_projection(feature_dim, bits, bias=False), nn.LayerNorm(bits), nn.Tanh())


_LAST_LAYERS: Final[Mapping[str, Callable[[int, int], nn.Module]]] = {
    "linear": _linear,
    "bn": _bn,
    "ln_tanh": _ln_tanh,
}


class Head(nn.Module):
    """The neck ``pool`` (the backbone's pooled output as it is) and a last layer.

    Args:
        last_layer: Maps (N, D) to (N, bits).
    """

    def __init__(self, last_layer: nn.Module) -> None:
        super().__init__()
        self.last_layer = last_layer

    def forward(self, output: BackboneOutput) -> Tensor:
        """Map a backbone's output to real code outputs, (N, bits); their signs are the code."""
        outputs: Tensor = self.last_layer(output.pooled)
        return outputs


def build_head(head: HeadChoice, feature_dim: int, *, bits: int) -> Head:
    """Build a head with fresh weights, drawn N(0, 0.01^2), biases 0.

    The last layers are ``linear`` (with bias), ``bn`` (no bias, then BatchNorm, as OrthoHash) and
    ``ln_tanh`` (no bias, then LayerNorm and tanh, as DHD).

    Example:
        >>> from hashbench.core.cell import Head as HeadChoice
        >>> build_head(HeadChoice("pool", "linear"), 512, bits=32).last_layer
        Linear(in_features=512, out_features=32, bias=True)

    Args:
        head: The neck and last layer by name.
        feature_dim: Width D of the backbone's pooled output.
        bits: Code length.

    Raises:
        ConfigError: If the neck or the last layer is unknown.
    """
    if head.neck not in NECKS:
        raise ConfigError(
            f"head.neck: unknown neck '{head.neck}'. {did_you_mean(head.neck, NECKS)}"
        )
    if head.last_layer not in _LAST_LAYERS:
        known = did_you_mean(head.last_layer, LAST_LAYERS)
        raise ConfigError(f"head.last_layer: unknown last layer '{head.last_layer}'. {known}")
    return Head(_LAST_LAYERS[head.last_layer](feature_dim, bits))
