"""Hash heads: a neck from a backbone's output to features, and a last layer to K real outputs.

`build_head` makes one by the names of its neck and last layer.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from hashbench.core.cell import Head as HeadChoice
from hashbench.core.errors import ConfigError, did_you_mean
from hashbench.methods.head_names import LAST_LAYERS, NECKS
from hashbench.methods.interface import BackboneOutput

_INIT_STD: Final = 0.01
_VTS_WIDTH: Final = 1024
_VTS_DROPOUT: Final = 0.5


class Head(nn.Module):
    """A neck, from a backbone's output to (N, width), and a last layer, from there to (N, bits)."""

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
        tokens: Number of tokens of an image, if the backbone's output has tokens.
        dropout: Dropout rate within the neck ``mlp3``.

    Raises:
        ConfigError: If the neck or the last layer is unknown, or the neck needs tokens and there
            are none.
    """
    neck = _neck(head.neck, feature_dim, tokens=tokens, dropout=dropout)
    return Head(neck, _last_layer(head.last_layer, neck.width, bits))


class PooledNeck(nn.Module):
    """``pool``: the backbone's pooled output as it is, (N, D)."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.width = feature_dim

    def forward(self, output: BackboneOutput) -> Tensor:
        """Return the pooled output, (N, D)."""
        return output.pooled


class TokenNeck(nn.Module):
    """``vts``: all tokens side by side, dropout 0.5, a layer of 1024, ReLU: (N, 1024).

    The neck of Vision Transformer Hashing (ICME 2022), as in its released code: the class token is
    among the tokens, weights start Kaiming uniform (fan-out), biases N(0, 1). On ViT-B/16 at 224 px
    the layer has 197 * 768 * 1024 = 154.9 M weights, more than the backbone.

    Raises:
        ConfigError: If the backbone's output has no tokens.
    """

    def __init__(self, feature_dim: int, tokens: int | None) -> None:
        super().__init__()
        if tokens is None:
            raise ConfigError(
                "head.neck: vts joins a Transformer's tokens, and this backbone has none; "
                "use pool or mlp3"
            )
        self.width = _VTS_WIDTH
        self.dropout = nn.Dropout(_VTS_DROPOUT)
        self.layer = nn.Linear(tokens * feature_dim, _VTS_WIDTH)
        nn.init.kaiming_uniform_(self.layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.layer.bias)
        self.activation = nn.ReLU()

    def forward(self, output: BackboneOutput) -> Tensor:
        """Map tokens (N, tokens, D) to (N, 1024)."""
        if output.tokens is None:
            raise ValueError("the backbone's output has no tokens")
        mapped: Tensor = self.activation(self.layer(self.dropout(output.tokens.flatten(1))))
        return mapped


class PerceptronNeck(nn.Module):
    """``mlp3``: two layers D-D, each with ReLU; with the last layer D-D-D-K, as CSQ's authors have.

    Weights and biases start as torch's ``Linear`` does. The dropout is after the first ReLU; CSQ's
    is 0.5 on ResNets and 0 elsewhere.
    """

    def __init__(self, feature_dim: int, dropout: float) -> None:
        super().__init__()
        self.width = feature_dim
        self.layers = nn.Sequential(
            nn.Linear(feature_dim, feature_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feature_dim, feature_dim),
            nn.ReLU(),
        )

    def forward(self, output: BackboneOutput) -> Tensor:
        """Map pooled features (N, D) to (N, D)."""
        mapped: Tensor = self.layers(output.pooled)
        return mapped


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


def _projection(feature_dim: int, bits: int, *, bias: bool) -> nn.Linear:
    layer = nn.Linear(feature_dim, bits, bias=bias)
    nn.init.normal_(layer.weight, std=_INIT_STD)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _last_layer(name: str, width: int, bits: int) -> nn.Module:
    match name:
        case "linear":
            return _projection(width, bits, bias=True)
        case "linear_uniform":
            return nn.Linear(width, bits)
        case "bn":
            return nn.Sequential(_projection(width, bits, bias=False), nn.BatchNorm1d(bits))
        case "ln_tanh":
            projection = _projection(width, bits, bias=False)
            return nn.Sequential(projection, nn.LayerNorm(bits), nn.Tanh())
    known = did_you_mean(name, LAST_LAYERS)
    raise ConfigError(f"head.last_layer: unknown last layer '{name}'. {known}")
