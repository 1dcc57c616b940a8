"""What Gradio reads from the environment, and where uploads lie; set before it is imported."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from hashbench.core.errors import StoreError

_UPLOADS: Final = "studio-uploads"
_KEPT_SECONDS: Final = 24 * 3600.0
_PREFIX: Final = "GRADIO_"
_OFFLINE: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def uploads_folder(store: Path) -> Path:
    """Where files lie that were sent to the page, or made for it: one day, and no longer.

    Args:
        store: The store's folder; on its disk, so that a file can be moved on without a copy.
    """
    return store / ".work" / _UPLOADS


def keep_to_itself(uploads: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Have Gradio ask nobody outside, follow no switch of the shell, and keep files in one folder.

    What else the user set stays, for the commands that the page starts.

    Args:
        uploads: The only folder that its file endpoint may read.
        environment: The process's variables.
    """
    for name in [name for name in environment if name.startswith(_PREFIX)]:
        del environment[name]
    environment.update(_OFFLINE)
    environment["GRADIO_TEMP_DIR"] = str(uploads)
    environment["GRADIO_EXAMPLES_CACHE"] = str(uploads / "examples")


def make_uploads(store: Path) -> Path:
    """Make the folder for uploads, for the owner alone, and empty it of what is old.

    Args:
        store: The store's folder.

    Returns:
        The folder, resolved.

    Raises:
        StoreError: If it cannot be written.
    """
    folder = uploads_folder(store).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"cannot write {folder}: {error.strerror or error}; make room or name another store"
        ) from None
    forget_old(folder)
    return folder


def forget_old(uploads: Path, *, now: float | None = None) -> None:
    """Remove what has been in the folder for more than a day.

    Args:
        uploads: The folder.
        now: Seconds since the epoch; None takes the clock.
    """
    before = (time.time() if now is None else now) - _KEPT_SECONDS
    with suppress(OSError):
        for entry in list(uploads.iterdir()):
            with suppress(OSError):
                if entry.lstat().st_mtime < before:
                    _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink()
