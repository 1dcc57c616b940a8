"""Counting pairs on a CUDA device, with torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.core.codes import Codes
from hashbench.evaluation.counting import Counting
from hashbench.evaluation.relevance import Relevance
from hashbench.evaluation.tie_groups import TieGroups
from hashbench.search.device_scan import DeviceScan

_EXACT_HALVES: Final = 2048


class DeviceCounting(Counting):
    """Keeps codes and labels on the device, and computes distances a part at a time."""

    def __init__(
        self, query: Codes, database: Codes, relevance: Relevance, *, device: torch.device
    ) -> None:
        self._queries, self._scan = query, DeviceScan(database, device)
        self._query_labels, self._labels = (
            torch.from_numpy(np.ascontiguousarray(side)).to(device)
            for side in (relevance.query_labels, relevance.database_labels)
        )
        few = self._labels.shape[1] < _EXACT_HALVES
        # Numbers of shared labels are whole too; half precision represents them up to 2,048.
        self._type = torch.float16 if device.type == "cuda" and few else torch.float32

    @torch.no_grad()
    def histograms(self, start: int, stop: int, levels: int) -> NDArray[np.int64]:
        """Count the items of all queries by a key made of query, gain and distance."""
        radii = self._scan.bits + 1
        queries, cells = stop - start, levels * radii
        counts = torch.zeros(queries * cells, dtype=torch.int64, device=self._scan.device)
        rows = torch.arange(queries, device=self._scan.device)[:, None] * cells
        for distances, gains in self._parts(start, stop, levels):
            keys = rows + gains * radii + distances
            counts += keys.flatten().bincount(minlength=len(counts))
        return counts.reshape(queries, levels, radii).cpu().numpy()

    def hit_ranks(
        self, start: int, stop: int, *, groups: TieGroups, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Sort the database, and find the relevant items among the nearest."""
        for relevant in self.ranked_gains(start, stop, groups=groups, levels=2, limit=limit):
            yield np.flatnonzero(relevant) + 1

    @torch.no_grad()
    def ranked_gains(
        self, start: int, stop: int, *, groups: TieGroups, levels: int, limit: int
    ) -> Iterator[NDArray[np.int64]]:
        """Sort the database, and look up the gains of the nearest."""
        del groups
        for query in range(start, stop):
            distances, gains = zip(*self._parts(query, query + 1, levels), strict=True)
            order = torch.cat(distances, dim=1)[0].sort(stable=True).indices[:limit]
            yield torch.cat(gains, dim=1)[0, order].long().cpu().numpy()

    def _parts(self, start: int, stop: int, levels: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the distances and gains (Q, n), int32, of each part of the database."""
        labels = self._query_labels[start:stop].to(self._type)
        queries = Codes(self._queries.packed[start:stop], self._queries.bits)
        for part, distances in self._scan.distances(queries):
            gains = (labels @ self._labels[part].to(self._type).T).to(torch.int32)
            yield distances, gains.clamp_max(levels - 1)
