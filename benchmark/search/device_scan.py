"""Hamming distances on a CUDA device, by matrix products of codes of -1 and +1."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from hashbench.core.codes import Codes

PAIRS_AT_ONCE = 1 << 24
"""Pairs whose distances are held at once: some hundred megabytes on the device."""


class DeviceScan:
    """A database of packed codes on a device, unpacked a part at a time.

    The product of two codes is a whole number between -bits and bits, and so is every partial sum.
    Half precision represents all of these up to 2,048 bits, so products are exact on a CUDA device;
    the CPU (for tests) uses float32, which represents them up to 2^24.
    """

    def __init__(self, database: Codes, device: torch.device) -> None:
        self.bits, self.device = database.bits, device
        self._packed = torch.from_numpy(database.packed).to(device)
        self._type = torch.float16 if device.type == "cuda" else torch.float32
        self._masks = 1 << torch.arange(7, -1, -1, device=device, dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def bytes(self) -> int:
        """Bytes of the packed codes."""
        return self._packed.numel()

    @torch.no_grad()
    def distances(self, queries: Codes) -> Iterator[tuple[slice, Tensor]]:
        """Yield the positions of each part of the database and its distances, int32 (Q, n)."""
        left = self._signs(torch.from_numpy(queries.packed).to(self.device))
        size = max(1, PAIRS_AT_ONCE // len(left))
        for first in range(0, len(self), size):
            part = slice(first, min(first + size, len(self)))
            products = left @ self._signs(self._packed[part]).T
            yield part, (self.bits - products.to(torch.int32)) // 2

    def _signs(self, packed: Tensor) -> Tensor:
        """Unpack codes to -1 and +1, (n, bits)."""
        bits = (packed[:, :, None] & self._masks).ne(0).flatten(1)[:, : self.bits]
        return bits.to(self._type) * 2 - 1
