"""Encode images by the method of a stored fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.errors import DataError
from hashbench.core.plugins import load_plugins
from hashbench.core.record import FitRecord
from hashbench.core.registry import Registry, registry
from hashbench.datasets.protocols.protocol import load_protocol
from hashbench.methods.interface import DivergedError
from hashbench.store.lookup import find_fit
from hashbench.store.model import load_model
from hashbench.store.store import Store
from hashbench.training.determinism import configure
from hashbench.training.images import DeviceImages
from hashbench.worker.building import restore_method, usable_device
from hashbench.worker.image_files import decode_image

_BLOCK = 1024  # images decoded at once


class Encoder:
    """Encodes images as the queries of a fit were: same input, same arithmetic, same threads.

    Attributes:
        protocol: The protocol whose size and normalisation images get.
        classes: Class names, in the order of the label columns.
        database: int64 (database,), the place in the dataset of each database image.

    Raises:
        DataError: If no model was kept, it does not fit the present code, or the protocol is not
            the one that the fit was made with.
        DamagedStoreError: If the model is not what was written.
    """

    def __init__(
        self, store: Store, fit: FitRecord, registry: Registry, *, device: torch.device
    ) -> None:
        kept = load_model(store, fit)
        self.store, self.fit = store, fit
        self.classes, self.database = kept.classes, kept.database
        self.protocol = load_protocol(fit.cell.data.protocol)
        if self.protocol.sha256 != fit.cell.data.protocol_sha256:
            raise DataError(
                f"record {fit.record_id}: protocol {self.protocol.name} has another definition "
                f"here than the one it was made with; use the version that the record names"
            )
        self._device = device
        configure(
            fit.cell.determinism, threads=fit.environment.threads, precision=fit.cell.precision
        )
        self._method = restore_method(fit.cell, kept.state, registry, device=device)

    def encode(self, images: NDArray[np.uint8]) -> Codes | Embeddings:
        """Encode images of the protocol's shape, uint8 (N, H, W) or (N, H, W, 3), N at least 1.

        Raises:
            DataError: If the method gives a value that is not finite.
        """
        prepared = DeviceImages(
            images,
            choice=self.fit.cell.data,
            protocol=self.protocol,
            device=self._device,
            channels_last=self.fit.cell.channels_last,
        )
        try:
            return self._method.encode(prepared, Role.QUERY)
        except (DataError, DivergedError) as error:
            raise DataError(
                f"record {self.fit.record_id}: its method cannot encode these images: {error}"
            ) from None

    def encode_files(self, paths: Sequence[Path]) -> Codes | Embeddings:
        """Decode and encode image files, some at a time; see `decode_image`.

        Raises:
            DataError: If there is no file, or one cannot be decoded.
        """
        if not paths:
            raise DataError("images: none to encode")
        parts = [
            self.encode(np.stack([decode_image(path, self.protocol) for path in block]))
            for block in (paths[i : i + _BLOCK] for i in range(0, len(paths), _BLOCK))
        ]
        return _joined(parts)


def open_encoder(root: Path, record: str, *, device: str, plugins: Iterable[Path] = ()) -> Encoder:
    """Find a fit by its id, a record's id, or the start of one, and return its encoder.

    Raises:
        StoreError: If there is no such store.
        ConfigError: If there is no such record or device.
        DataError: If no model was kept, or it does not fit the present code.
    """
    store = Store.open(root)
    load_plugins(list(plugins), registry())
    return Encoder(store, find_fit(store, record), registry(), device=usable_device(device))


def _joined(parts: Sequence[Codes | Embeddings]) -> Codes | Embeddings:
    codes = [part for part in parts if isinstance(part, Codes)]
    if codes:
        return Codes(np.concatenate([part.packed for part in codes]), codes[0].bits)
    floats = [part.values for part in parts if isinstance(part, Embeddings)]
    return Embeddings(np.concatenate(floats))
