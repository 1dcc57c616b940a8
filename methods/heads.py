"""Hash heads: a neck from a backbone's output to features, and a last layer to K real outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor, nn

from hashbench.core.cell import Head as HeadChoice
from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.methods.head_names import LAST_LAYERS, NECKS
from hashbench.methods.interface import BackboneOutput
from hashbench.methods.necks import PerceptronNeck, PooledNeck, TokenNeck

_INIT_STD: Final = 0.01


def _projection(feature_dim: int, bits: int, *, bias: bool) -> nn.Linear:
    layer = nn.Linear(feature_dim, bits, bias=bias)
    nn.init.normal_(layer.weight, std=_INIT_STD)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _linear(feature_dim: int, bits: int) -> nn.Module:
    return _projection(feature_dim, bits, bias=True)


def _linear_uniform(feature_dim: int, bits: int) -> nn.Module:
    return nn.Linear(feature_dim, bits)


def _bn(feature_dim: int, bits: int) -> nn.Module:
    return nn.Sequential(_projection(feature_dim, bits, bias=False), nn.BatchNorm1d(bits))


def _ln_tanh(feature_dim: int, bits: int) -> nn.Module:
    return nn.Sequential(_projection(feature_dim, bits, bias=False), nn.LayerNorm(bits), nn.Tanh())


_LAST_LAYERS: Final[Mapping[str, Callable[[int, int], nn.Module]]] = {
    "linear": _linear,
    "linear_uniform": _linear_uniform,
    "bn": _bn,
    "ln_tanh": _ln_tanh,
}


class Head(nn.Module):
    """A neck and a last layer.

    Args:
        neck: Maps a backbone's output to (N, width).
        last_layer: Maps (N, width) to (N, bits).
    """

    def __init__(self, neck: nn.Module, last_layer: nn.Module) -> None:
        super().__init__()
        self.neck = neck
        self.last_layer = last_layer

    def forward(self, output: BackboneOutput) -> Tensor:
        """Map a backbone's output to real code outputs, (N, bits); their signs are the code."""
        outputs: Tensor = self.last_layer(self.neck(output))
        return outputs


def build_head(
    head: HeadChoice,
    feature_dim: int,
    *,
    bits: int,
    tokens: int | None = None,
    dropout: float = 0.0,
) -> Head:
    """Build a head with fresh weights; those of the last layer are N(0, 0.01^2), its biases 0.

    The necks are ``pool`` (the pooled output as it is), ``vts`` (all tokens to 1024) and ``mlp3``
    (two hidden layers of width D). The last layers are ``linear`` (with bias), ``bn`` (no bias,
    then BatchNorm, as OrthoHash), ``ln_tanh`` (no bias, then LayerNorm and tanh, as DHD), and
    ``linear_uniform``: linear with torch's own first weights, uniform in +-1/sqrt(D), which the
    public collections that leave them alone have. Outputs then start larger, and some losses, such
    as DSH with a buffer, end elsewhere.

    Example:
        >>> from hashbench.core.cell import Head as HeadChoice
        >>> build_head(HeadChoice("pool", "linear"), 512, bits=32).last_layer
        Linear(in_features=512, out_features=32, bias=True)

    Args:
        head: The neck and last layer by name.
        feature_dim: Width D of the backbone's pooled output.
        bits: Code length.
        tokens: Tokens an image of the backbone's output, if it has them.
        dropout: Dropout rate within the neck ``mlp3``.

    Raises:
        ConfigError: If the neck or the last layer is unknown, or the neck needs tokens and there
            are none.
    """
    if head.last_layer not in _LAST_LAYERS:
        known = did_you_mean(head.last_layer, LAST_LAYERS)
        raise ConfigError(f"head.last_layer: unknown last layer '{head.last_layer}'. {known}")
    neck = _neck(head.neck, feature_dim, tokens=tokens, dropout=dropout)
    return Head(neck, _LAST_LAYERS[head.last_layer](neck.width, bits))


def _neck(
    name: str, feature_dim: int, *, tokens: int | None, dropout: float
) -> PooledNeck | TokenNeck | PerceptronNeck:
    match name:
        case "pool":
            return PooledNeck(feature_dim)
        case "vts":
            return TokenNeck(feature_dim, tokens)
        case "mlp3":
            return PerceptronNeck(feature_dim, dropout)
    raise ConfigError(f"head.neck: unknown neck '{name}'. {did_you_mean(name, NECKS)}")
