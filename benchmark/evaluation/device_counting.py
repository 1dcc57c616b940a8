"""Counting on a CUDA device, by matrix products of codes of -1 and +1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.core.codes import Codes
from hashbench.evaluation.counting import Counting
from hashbench.evaluation.relevance import Relevance

PAIRS_AT_ONCE = 1 << 24
"""Pairs whose distances are held at once: some hundred megabytes on the device."""


class DeviceCounting(Counting):
    """Packed codes and labels lie on the device; distances are made a part of the database a time.

    Products of +-1 codes and of labels are whole numbers of at most the code length and the number
    of classes. Half precision has all of these up to 2,048, so they are exact on the device, and in
    float32, which the CPU uses (for tests), up to 2^24.

    Args:
        query: Codes of the queries.
        database: Codes of the database, of the same length.
        relevance: Who is relevant to whom.
        device: Where to compute.
    """

    def __init__(
        self, query: Codes, database: Codes, relevance: Relevance, *, device: torch.device
    ) -> None:
        self._bits, self._items = database.bits, len(database)
        self._queries, self._database = (
            torch.from_numpy(side.packed).to(device) for side in (query, database)
        )
        self._query_labels, self._labels = (
            torch.from_numpy(np.ascontiguousarray(side)).to(device)
            for side in (relevance.query_labels, relevance.database_labels)
        )
        # Half precision would round numbers of shared labels from 2,048 on.
        self._type = torch.float16 if device.type == "cuda" else torch.float32
        self._label_type = self._type if self._labels.shape[1] < 2048 else torch.float32  # noqa: PLR2004
        self._masks = 1 << torch.arange(7, -1, -1, device=device, dtype=torch.uint8)

    @torch.no_grad()
    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """One histogram a query over distance and gain."""
        queries, cells = stop - start, levels * (self._bits + 1)
        counts = torch.zeros(queries * cells, dtype=torch.int64, device=self._database.device)
        rows = torch.arange(queries, device=counts.device)[:, None] * cells
        for distances, gains in self._parts(slice(start, stop), levels):
            keys = rows + gains * (self._bits + 1) + distances
            counts += keys.flatten().bincount(minlength=len(counts))
        return counts.reshape(queries, levels, self._bits + 1).cpu().numpy()

    def hit_ranks(
        self,
        query: int,
        items_before: NDArray[np.int64],
        hits_before: NDArray[np.int64],
        *,
        limit: int,
    ) -> NDArray[np.int64]:
        """Sort the database, and look which of the nearest are relevant."""
        del hits_before
        gains = self.ranked_gains(query, items_before, levels=2, limit=limit)
        return np.flatnonzero(gains) + 1

    @torch.no_grad()
    def ranked_gains(
        self, query: int, items_before: NDArray[np.int64], *, levels: int, limit: int
    ) -> NDArray[np.int64]:
        """Sort the database, and look the gains of the nearest up."""
        del items_before
        parts = list(self._parts(slice(query, query + 1), levels))
        distances = torch.cat([part for part, _ in parts], dim=1)[0]
        gains = torch.cat([part for _, part in parts], dim=1)[0]
        order = distances.sort(stable=True).indices[:limit]
        return gains[order].to(torch.int64).cpu().numpy()

    def _parts(self, queries: slice, levels: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Distances and gains (Q, n), int32, of one part of the database after the other."""
        left = self._signs(self._queries[queries])
        labels = self._query_labels[queries].to(self._label_type)
        size = max(1, PAIRS_AT_ONCE // len(left))
        for first in range(0, self._items, size):
            part = slice(first, first + size)
            products = left @ self._signs(self._database[part]).T
            distances = (self._bits - products.to(torch.int32)) // 2
            gains = (labels @ self._labels[part].to(self._label_type).T).to(torch.int32)
            yield distances, gains.clamp_max(1) if levels == 2 else gains  # noqa: PLR2004 - relevant or not

    def _signs(self, packed: Tensor) -> Tensor:
        """Codes of -1 and +1, (n, bits)."""
        bits = (packed[:, :, None] & self._masks).ne(0).flatten(1)[:, : self._bits]
        return bits.to(self._type) * 2 - 1
