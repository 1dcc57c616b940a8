"""The names of necks and last layers in a matrix; imports no torch."""

from __future__ import annotations

from typing import Final

NECKS: Final = ("pool", "vts", "mlp3")
TOKEN_NECKS: Final = ("vts",)
"""The necks that need the backbone's tokens."""

LAST_LAYERS: Final = ("linear", "linear_uniform", "bn", "ln_tanh")
