"""Exact linear scan on a CUDA device, with torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hashbench.core.codes import Codes
from hashbench.core.info import ComponentInfo
from hashbench.search.engine import IndexEngine, Neighbours, check_build, check_query

if TYPE_CHECKING:
    from hashbench.search.device_scan import DeviceScan


class ExactCUDA(IndexEngine):
    """Exact search on a CUDA device: all distances, and the nearest of each part."""

    info = ComponentInfo(title="Exact linear scan on CUDA", version=1)
    device: ClassVar[str] = "cuda"

    _scan: DeviceScan | None = None

    @classmethod
    def available(cls) -> str | None:
        """Return None if torch has a CUDA device, else the remedy."""
        import torch

        if cls.device == "cuda" and not torch.cuda.is_available():
            return "engine 'exact_cuda' needs a CUDA device, and torch finds none; write exact"
        return None

    def build(self, database: Codes) -> None:
        """Copy the packed codes to the device."""
        import torch

        from hashbench.search.device_scan import DeviceScan

        check_build(self, database)
        self._scan = DeviceScan(database, torch.device(self.device))

    def search(self, query: Codes, k: int) -> Neighbours:
        """Keep the k nearest of each query over the parts of the database."""
        import torch

        if self._scan is None:
            raise RuntimeError("build an index before searching it")
        check_query(query, k, bits=self._scan.bits)
        items = len(self._scan)
        k = min(k, items)
        # One number for distance and id orders equal distances by id.
        best = torch.empty((len(query), 0), dtype=torch.int64, device=self._scan.device)
        for part, distances in self._scan.distances(query):
            ids = torch.arange(part.start, part.stop, device=best.device)
            candidates = torch.cat([best, distances.long() * items + ids], dim=1)
            best = candidates.topk(min(k, candidates.shape[1]), largest=False, sorted=True).values
        keys = best.cpu().numpy()
        return Neighbours((keys // items).astype(np.int32), keys % items)

    @property
    def bytes(self) -> int:
        """Bytes of the packed codes."""
        return 0 if self._scan is None else self._scan.bytes
