"""From the words of a command to a stored method that is ready to encode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from hashbench.core.errors import ConfigError
from hashbench.core.plugins import load_plugins
from hashbench.core.record import FitRecord
from hashbench.core.registry import registry
from hashbench.store.lookup import find_fit
from hashbench.store.store import Store
from hashbench.worker.building import resolve_device
from hashbench.worker.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Opened:
    """A fit and its encoder.

    Attributes:
        store: Where it is.
        fit: The fit.
        encoder: Its method.
    """

    store: Store
    fit: FitRecord
    encoder: Encoder


def open_encoder(root: Path, record: str, *, device: str, plugins: Iterable[Path] = ()) -> Opened:
    """Find a fit and take its method out of the store.

    Args:
        root: The store's folder.
        record: A fit id, a record id, or the start of one.
        device: ``auto``, ``cpu`` or ``cuda``.
        plugins: Plugin files to load first.

    Raises:
        StoreError: If there is no such store.
        ConfigError: If there is no such record or device.
        DataError: If no model was kept, or it does not fit the present code.
    """
    store = Store.open(root)
    load_plugins(list(plugins), registry())
    fit = find_fit(store, record)
    return Opened(store, fit, Encoder(store, fit, registry(), device=usable_device(device)))


def usable_device(wanted: str) -> torch.device:
    """The device of a word on a command line.

    Args:
        wanted: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: If it is not here.
    """
    chosen = resolve_device(wanted)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: no CUDA device here; write auto or cpu")
    return chosen
