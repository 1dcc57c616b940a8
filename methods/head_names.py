"""The words for a head in a matrix, importable without torch."""

from __future__ import annotations

from typing import Final

NECKS: Final = ("pool", "vts", "mlp3")
TOKEN_NECKS: Final = ("vts",)
"""Those that need the backbone's tokens."""

LAST_LAYERS: Final = ("linear", "linear_uniform", "bn", "ln_tanh")
