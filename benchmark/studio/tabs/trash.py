"""Deleted fits: moved to ``STORE/.trash``, from where they can be brought back."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from hashbench.core.errors import ConfigError, StoreError
from hashbench.store.lease import Lease, look, take
from hashbench.store.store import Store

_FIT: Final = re.compile(r"[0-9a-f]{16}")
_THROWN: Final = re.compile(r"([0-9a-f]{16})\.\d+")


def throw_away(store: Store, trash: Path, fit_id: str) -> Path:
    """Move a fit's folder, with all its records and arrays, to the trash.

    Its lease is held meanwhile, so that no run begins to write there.

    Args:
        store: The store.
        trash: The folder of what was deleted, on the same disk.
        fit_id: The fit.

    Returns:
        Where it is now.

    Raises:
        ConfigError: If there is no such fit, or a run works on it.
        StoreError: If it cannot be moved; it stays as it was then.
    """
    folder = store.root / fit_id
    if not _FIT.fullmatch(fit_id) or not folder.is_dir() or folder.is_symlink():
        raise ConfigError(
            f"fit {fit_id!r:.40}: there is none in the store; it may be deleted already"
        )
    lease = _lease(store, fit_id)
    target = trash / f"{fit_id}.{time.time_ns()}"
    try:
        trash.mkdir(exist_ok=True)
        folder.rename(target)
    except OSError as error:
        raise StoreError(f"cannot move {folder} to {trash}: {error.strerror or error}") from None
    finally:
        with suppress(StoreError):
            lease.release()
    return target


def bring_back(store: Store, trash: Path, name: str) -> str:
    """Move a fit's folder back into the store.

    Args:
        store: The store.
        trash: The folder of what was deleted.
        name: Its name there, as `thrown_away` gives it.

    Returns:
        The fit's id.

    Raises:
        ConfigError: If there is none of that name, or the fit was made again meanwhile.
        StoreError: If it cannot be moved.
    """
    match = _THROWN.fullmatch(name)
    if match is None or not (trash / name).is_dir():
        raise ConfigError(
            f"trash {name!r:.60}: there is none; it may have been brought back already"
        )
    folder = store.root / match[1]
    if folder.exists():
        raise ConfigError(
            f"trash {name}: {match[1]} was made again meanwhile; delete that one first"
        )
    lease = _lease(store, match[1])
    try:
        (trash / name).rename(folder)
    except OSError as error:
        raise StoreError(f"cannot move {trash / name} back: {error.strerror or error}") from None
    finally:
        with suppress(StoreError):
            lease.release()
    return match[1]


def thrown_away(trash: Path) -> list[str]:
    """The names of what is in the trash, the newest first."""
    try:
        names = [path.name for path in trash.iterdir() if _THROWN.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(names, key=lambda name: int(name.partition(".")[2]), reverse=True)


def _lease(store: Store, fit_id: str) -> Lease:
    folder = store.lease_folder(fit_id)
    seen = look(folder)
    if not (seen.free or seen.holder_gone):
        raise ConfigError(f"fit {fit_id}: {seen} works on it; stop that run first, then delete")
    lease = take(folder, above=seen.number)
    if lease is None:
        raise ConfigError(f"fit {fit_id}: a run has just begun to work on it; stop that run first")
    return lease
