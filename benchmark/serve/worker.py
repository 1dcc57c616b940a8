"""A search worker from its start to its end."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from PIL import Image

from hashbench.core.errors import ConfigError
from hashbench.core.plugins import load_plugins
from hashbench.core.record import timestamp
from hashbench.core.registry import Kind, registry
from hashbench.datasets.roots import look_in
from hashbench.serve.discovery import Announcement, claim, new_token
from hashbench.serve.endpoints import endpoints
from hashbench.serve.index import EXACT
from hashbench.serve.models import Models
from hashbench.serve.offers import Offers
from hashbench.serve.pictures import Pictures
from hashbench.serve.server import Server
from hashbench.serve.service import Service
from hashbench.store.store import Store
from hashbench.worker.building import usable_device

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a worker serves.

    Attributes:
        port: Where it listens; 0 takes one that is free.
        with_token: Whether every request must bring a token.
        keep: How many methods stay in memory.
        engine: The search engine where a request names none.
        device: ``auto``, ``cpu`` or ``cuda``.
        data_roots: The user's data roots, for thumbnails; imported datasets are found in all.
        plugins: Plugin files to load first.
        idle: Seconds without a request after which the worker ends by itself; None for never.
    """

    port: int = 0
    with_token: bool = False
    keep: int = 4
    engine: str = EXACT
    device: str = "auto"
    data_roots: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    idle: float | None = None


def serve(
    root: Path, settings: Settings, tell: Callable[[Announcement, str | None], None]
) -> signal.Signals:
    """Serve a store until the process is told to end.

    Args:
        root: The store's folder.
        settings: How.
        tell: Called with where it is served, and the token, when requests are taken.

    Returns:
        What told it; SIGTERM where it ended by itself.

    Raises:
        StoreError: If there is no such store, or it cannot be written.
        ConfigError: If the port or the device cannot be had, the engine is unknown or cannot run,
            or the store is served already.
    """
    store = Store.open(root)
    # Too many pixels are refused; that they are many need not be told as well.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    load_plugins(list(settings.plugins), registry())
    for folder in reversed(settings.data_roots):
        look_in(folder)
    _check_engine(settings.engine)
    models = Models(store, device=usable_device(settings.device), most=settings.keep)
    pictures = Pictures(next(iter(settings.data_roots), None))
    service = Service(root, Offers(store), models, pictures, settings.engine)
    token = new_token() if settings.with_token else None
    with claim(root) as held, _told_to_end() as ended:
        server = Server(settings.port, endpoints(service).answer, token=token)
        made = held.announce(port=server.port, started=timestamp(), token=token)
        listener = threading.Thread(target=server.serve_forever, name="listener", daemon=True)
        listener.start()
        tell(made, token)
        _wait(ended, server, settings.idle)
        server.end()
    models.close()
    return ended.by


def _wait(ended: threading.Event, server: Server, idle: float | None) -> None:
    """Wait for the end, or until nothing was asked for so long."""
    left = idle
    while not ended.wait(left):
        assert idle is not None  # noqa: S101 - a wait without a limit ends only when told
        left = idle - server.silence()
        if left <= 0:
            return


def _check_engine(name: str) -> None:
    missing = registry().load(Kind.ENGINE, name).available()
    if missing:
        raise ConfigError(missing)


class _End(threading.Event):
    """The end, and the signal that told it first."""

    by: signal.Signals = signal.SIGTERM


@contextmanager
def _told_to_end() -> Iterator[_End]:
    """An event that is set by the signals that end a process, which then end nothing else."""
    ended = _End()

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        if not ended.is_set():
            ended.by = signal.Signals(number)
        ended.set()

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
