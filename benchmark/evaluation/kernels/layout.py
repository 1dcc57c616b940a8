"""How codes and flags lie in memory for the compiled loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

WORD = 64
"""Binary digits of a word: of a part of a code, or of one bit for each of so many items."""

BLOCK = 2048
"""Items looked at together; keys, codes and flags of so many stay in the first-level cache."""
