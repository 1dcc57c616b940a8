"""The words for a head in a matrix, importable without torch."""

from __future__ import annotations

from typing import Final

NECKS: Final = ("pool",)
LAST_LAYERS: Final = ("linear", "bn", "ln_tanh")
