"""Necks: from a backbone's output to what the last layer reads."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from hashbench.core.errors import ConfigError
from hashbench.methods.interface import BackboneOutput

_VTS_WIDTH: Final = 1024
_VTS_DROPOUT: Final = 0.5


class PooledNeck(nn.Module):
    """``pool``: the backbone's pooled output as it is, (N, D).

    Args:
        feature_dim: D.
    """

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.width = feature_dim

    def forward(self, output: BackboneOutput) -> Tensor:
        """Give the pooled output, (N, D)."""
        return output.pooled


class TokenNeck(nn.Module):
    """``vts``: all tokens side by side, dropout 0.5, a layer of 1024, ReLU: (N, 1024).

    The neck of Vision Transformer Hashing (ICME 2022), as in its released code: the class token is
    among the tokens, weights start Kaiming uniform (fan-out), biases N(0, 1). On ViT-B/16 at 224 px
    the layer has 197 * 768 * 1024 = 154.9 M weights, more than the backbone.

    Args:
        feature_dim: Width D of a token.
        tokens: Tokens an image; None if the backbone gives none.

    Raises:
        ConfigError: If there are no tokens.
    """

    def __init__(self, feature_dim: int, tokens: int | None) -> None:
        super().__init__()
        if tokens is None:
            raise ConfigError(
                "head.neck: vts joins a Transformer's tokens, and this backbone gives none; "
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
            raise ValueError("the backbone gave no tokens")
        mapped: Tensor = self.activation(self.layer(self.dropout(output.tokens.flatten(1))))
        return mapped


class PerceptronNeck(nn.Module):
    """``mlp3``: two layers D-D, each with ReLU; with the last layer D-D-D-K, as CSQ's authors have.

    Weights and biases start as torch's ``Linear`` does.

    Args:
        feature_dim: D.
        dropout: Rate after the first ReLU; CSQ has 0.5 on ResNets and none elsewhere.
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
