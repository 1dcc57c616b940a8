"""Fetch batches in a thread, ahead of the training step that needs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(slots=True)
class _Fetched:
    images: Tensor
    arrived: Any  # a torch.cuda.Event, None on the CPU


class Prefetcher:
    """Gathers batches from an array while the device computes.

    A thread copies the images of each batch into one of a ring of pinned buffers, and from there to
    the device on a separate stream. The caller's stream waits for the copy, the host does not.

    Args:
        images: uint8 (M, H, W, channels).
        batches: The tensors that `take` will be called with, in order.
        rows: int64 (n,) each, the positions in ``images`` that the tensors stand for.
        device: The device of the batches.
        ahead: Largest number of batches that wait to be taken while another is fetched.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        batches: Sequence[Tensor],
        rows: Sequence[NDArray[np.int64]],
        *,
        device: torch.device,
        ahead: int,
    ) -> None:
        self._images = images
        self._batches = batches
        self._rows = rows
        self._device = device
        self._cuda = device.type == "cuda"
        self._stream: Any = None
        self._taken: Tensor | None = None
        self._next = 0
        self._buffers = [
            torch.empty(
                (max(map(len, rows)), *images.shape[1:]), dtype=torch.uint8, pin_memory=self._cuda
            )
            for _ in range(ahead + 1)
        ]
        self._arrivals: list[Any] = [None] * len(self._buffers)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hashbench-prefetch")
        self._fetches: deque[Future[_Fetched]] = deque()
        for step in range(len(self._buffers)):
            self._start(step)

    def take(self, indices: Tensor) -> Tensor | None:
        """The images of the next batch, uint8 (n, H, W, channels), if ``indices`` is that batch.

        The same tensor again, as for a second view, gives the same images; any other gives None.

        Raises:
            OSError: If the memory-mapped file cannot be read.
        """
        if self._next and indices is self._batches[self._next - 1]:
            return self._taken
        if self._next == len(self._batches) or indices is not self._batches[self._next]:
            return None
        fetched = self._fetches.popleft().result()
        self._start(self._next + len(self._buffers))
        self._next += 1
        if self._cuda:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(fetched.arrived)
            # Allocated on the other stream: keep the memory until this stream is done with it.
            fetched.images.record_stream(stream)
        self._taken = fetched.images
        return fetched.images

    def stop(self) -> None:
        """End the thread and drop the batches that were fetched."""
        self._thread.shutdown(cancel_futures=True)

    def _start(self, step: int) -> None:
        if step < len(self._rows):
            self._fetches.append(self._thread.submit(self._fetch, step))

    def _fetch(self, step: int) -> _Fetched:
        slot, rows = step % len(self._buffers), self._rows[step]
        if self._arrivals[slot] is not None:
            self._arrivals[slot].synchronize()  # the copy still reads the buffer until then
        buffer = self._buffers[slot][: len(rows)]
        np.take(self._images, rows, axis=0, out=buffer.numpy(), mode="clip")
        fetched = self._send(buffer)
        self._arrivals[slot] = fetched.arrived
        return fetched

    def _send(self, buffer: Tensor) -> _Fetched:
        if not self._cuda:
            return _Fetched(buffer.clone(), None)
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch
        with torch.cuda.stream(self._stream):
            images = buffer.to(self._device, non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch does not type it
            arrived.record(self._stream)
        return _Fetched(images, arrived)
