"""Start Ray on this machine or join a cluster, without its banners, and leave it as found."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hashbench.core.errors import ConfigError

_LOCAL_STORE_BYTES = 80 * 2**20  # only plans and answers pass through it; Ray's least is 75 MiB
_SECONDS = 10.0
_CLIENT = "ray://"
# Ray reads these when it is imported or starts its processes.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it says what a later version will do
}


@contextmanager
def session(address: str | None) -> Iterator[None]:
    """Start or join Ray while the block runs.

    Args:
        address: The cluster's, ``auto`` or ``HOST:PORT``; None to start Ray on this machine, which
            ends with the block.

    Raises:
        ConfigError: If no cluster of this Ray answers there.
    """
    if address is not None:
        _refuse(address)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with _signals_kept():
        _start(address)
    import ray

    try:
        with _raylets_silenced():
            yield
    finally:
        with _signals_kept():
            ray.shutdown()


def _start(address: str | None) -> None:
    import ray

    about: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        # Explicit: without an address Ray joins whatever cluster it finds here.
        about |= {
            "address": "local",
            "include_dashboard": False,
            "num_cpus": len(os.sched_getaffinity(0)),
            "object_store_memory": _LOCAL_STORE_BYTES,
        }
    else:
        about["address"] = address
    try:
        ray.init(**about)
    except Exception as error:  # it raises nearly anything, Exception itself among it
        ray.shutdown()  # what it had started
        raise ConfigError(_no_session(address, error)) from None


def _refuse(address: str) -> None:
    """Refuse a wrong address; Ray itself tries for many minutes before it reports that.

    Raises:
        ConfigError: If it is no address, or no cluster answers there.
    """
    if address == "auto":
        return
    if address.startswith(_CLIENT):
        raise ConfigError(
            f"Ray address {address}: a run follows its cells through the store, so start it on a "
            f"machine of the cluster, with --address auto"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(
            f"Ray address {address}: write auto, or HOST:PORT as 'ray start' printed it"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(_no_session(address, error)) from None


def _no_session(address: str | None, error: Exception) -> str:
    why = " ".join(str(error).split())
    if address is None:
        return f"Ray does not start on this machine: {why}"
    return (
        f"Ray address {address}: no cluster answers there ({why}); 'ray status' on this machine "
        f"says whether it belongs to one, 'ray start --address HOST:PORT' makes it"
    )


@contextmanager
def _raylets_silenced() -> Iterator[None]:
    """Keep Ray's long messages about lost nodes off the console; Ray has no setting for that."""
    from ray._private import worker

    names, name = vars(worker), "print_to_stdstream"
    printing = names.get(name)
    if printing is None:  # a Ray that prints in another way
        yield
        return
    names[name] = lambda *_, **__: None
    try:
        yield
    finally:
        names[name] = printing


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Restore the signal handlers that Ray replaces; they end a run in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
