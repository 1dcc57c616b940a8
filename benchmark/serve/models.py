"""Methods taken out of the store, each once; the least recently used goes when there are many."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.record import FitRecord
from hashbench.core.registry import registry
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.serve.index import Index
from hashbench.serve.upload import decode_upload
from hashbench.store.codes import EncodedSplit, load_codes
from hashbench.store.store import Store
from hashbench.training.determinism import configure
from hashbench.worker.encoder import Encoder


@dataclass(frozen=True, slots=True, eq=False)
class LoadedMethod:
    """A fit in memory.

    Attributes:
        fit: The fit.
        encoder: Its method.
        encoded: Its codes and labels.
        index: Its database, to be searched.
    """

    fit: FitRecord
    encoder: Encoder
    encoded: EncodedSplit
    index: Index

    @property
    def protocol(self) -> ProtocolSpec:
        """What images have to look like."""
        return self.encoder.protocol


@dataclass(frozen=True, slots=True, eq=False)
class EncodedUpload:
    """An image that was sent, encoded.

    Attributes:
        code: One row.
        decode_ms: Milliseconds of decoding and resizing.
        encode_ms: Milliseconds in the method.
    """

    code: Codes | Embeddings
    decode_ms: float
    encode_ms: float


class Models:
    """The methods in memory.

    All that uses a network runs in one thread of its own, one after another: threads and arithmetic
    are settings of the process, and each method encodes with those that it was fitted with.

    Args:
        store: Where they come from.
        device: Where they encode.
        most: How many are kept.
    """

    def __init__(self, store: Store, *, device: torch.device, most: int) -> None:
        self._store, self._device, self._most = store, device, most
        self._loaded: OrderedDict[str, LoadedMethod] = OrderedDict()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="models")

    def get(self, fit: FitRecord) -> LoadedMethod:
        """A fit's method, loaded now if it is not.

        Raises:
            DataError: If its model does not fit the present code.
            DamagedStoreError: If its model or codes are not what was written.
        """
        return self._known(fit) or self._thread.submit(self._load, fit).result()

    def encode(self, method: LoadedMethod, image: bytes) -> EncodedUpload:
        """Encode an image that was sent as the method's queries were.

        Args:
            method: By what.
            image: The file; it has passed `check_upload`.

        Raises:
            DataError: If it cannot be decoded or encoded.
        """
        return self._thread.submit(_encode_upload, method, image).result()

    def small(self, make: Callable[[bytes], bytes], image: bytes) -> bytes:
        """Make a thumbnail in the same thread, so that one large image at a time is in memory.

        Args:
            make: What makes it.
            image: Of which file.
        """
        return self._thread.submit(make, image).result()

    def names(self) -> list[str]:
        """The record ids of what is in memory, least recently used first."""
        with self._lock:
            return list(self._loaded)

    def keep_only(self, records: Collection[str]) -> None:
        """Drop what is no longer in the store.

        Args:
            records: Record ids of the fits that are.
        """
        with self._lock:
            for gone in set(self._loaded) - set(records):
                del self._loaded[gone]

    def close(self) -> None:
        """End the thread; what waits for it is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _known(self, fit: FitRecord) -> LoadedMethod | None:
        with self._lock:
            found = self._loaded.get(fit.record_id)
            if found:
                self._loaded.move_to_end(fit.record_id)
            return found

    def _load(self, fit: FitRecord) -> LoadedMethod:
        if known := self._known(fit):  # another request was faster
            return known
        encoded = load_codes(self._store, fit)
        encoder = Encoder(self._store, fit, registry(), device=self._device)
        made = LoadedMethod(fit, encoder, encoded, Index(encoded.database))
        with self._lock:
            self._loaded[fit.record_id] = made
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
        return made


def _encode_upload(method: LoadedMethod, image: bytes) -> EncodedUpload:
    started = time.perf_counter()
    pixels = decode_upload(image, method.protocol)
    decoded = time.perf_counter()
    cell, threads = method.fit.cell, method.fit.environment.threads
    configure(cell.determinism, threads=threads, precision=cell.precision)
    code = method.encoder.encode(pixels[None])
    done = time.perf_counter()
    return EncodedUpload(code, (decoded - started) * 1000, (done - decoded) * 1000)
