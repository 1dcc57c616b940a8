"""Fetch batches in a thread, ahead of the training step that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_WAIT_SECONDS = 0.1  # after which a waiting thread checks whether it was stopped


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
        ahead: Largest number of batches that wait to be taken.
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
        self._next = 0
        self._last: Tensor | None = None
        self._ready: Queue[_Fetched | BaseException] = Queue(maxsize=ahead)
        self._stopped = Event()
        self._cuda = device.type == "cuda"
        largest = max(map(len, rows))
        self._buffers = [
            torch.empty((largest, *images.shape[1:]), dtype=torch.uint8, pin_memory=self._cuda)
            for _ in range(ahead + 1)
        ]
        self._thread = Thread(target=self._fetch_all, name="hashbench-prefetch", daemon=True)
        self._thread.start()

    def take(self, indices: Tensor) -> Tensor | None:
        """The images of the next batch, uint8 (n, H, W, channels), if ``indices`` is that batch.

        The same tensor again, as for a second view, gives the same images; any other gives None.

        Raises:
            OSError: If the memory-mapped file cannot be read.
        """
        if self._next and indices is self._batches[self._next - 1]:
            return self._last
        if self._next == len(self._batches) or indices is not self._batches[self._next]:
            return None
        fetched = self._ready.get()
        if isinstance(fetched, BaseException):
            raise fetched
        self._next += 1
        if self._cuda:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(fetched.arrived)
            # Allocated on the other stream: keep the memory until this stream is done with it.
            fetched.images.record_stream(stream)
        self._last = fetched.images
        return fetched.images

    def stop(self) -> None:
        """End the thread and drop the batches that were fetched."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=_WAIT_SECONDS)
            except Empty:
                continue
        self._thread.join()

    def _fetch_all(self) -> None:
        try:
            stream = _own_stream(self._device)
            arrivals: list[Any] = [None] * len(self._buffers)
            for step, rows in enumerate(self._rows):
                slot = step % len(self._buffers)
                if arrivals[slot] is not None:
                    arrivals[slot].synchronize()  # the copy still reads the buffer until then
                buffer = self._buffers[slot][: len(rows)]
                np.take(self._images, rows, axis=0, out=buffer.numpy(), mode="clip")
                fetched = self._send(buffer, stream)
                arrivals[slot] = fetched.arrived
                if not self._offer(fetched):
                    return
        except BaseException as error:  # `take` raises it again
            self._offer(error)

    def _send(self, buffer: Tensor, stream: Any) -> _Fetched:
        if stream is None:
            return _Fetched(buffer.clone(), None)
        with torch.cuda.stream(stream):
            images = buffer.to(self._device, non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch does not type it
            arrived.record(stream)
        return _Fetched(images, arrived)

    def _offer(self, fetched: _Fetched | BaseException) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(fetched, timeout=_WAIT_SECONDS)
            except Full:
                continue
            return True
        return False


def _own_stream(device: torch.device) -> Any:
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch does not type it
