"""Files that are either whole or absent."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hashbench.core.errors import StoreError

TEMPORARY_PREFIX = ".tmp-"


def write_atomically(
    path: Path,
    data: bytes | memoryview,
    *,
    staged: Path | None = None,
    check: Callable[[], object] = bool,
) -> None:
    """Write a file under a temporary name, sync it, and rename it into place.

    Args:
        path: Where the file shall be; folders above it are made.
        data: Its whole content.
        staged: The temporary name, on the same file system; by default one beside the file.
        check: Called when all of it is on disk under that name; what it raises leaves nothing.

    Raises:
        StoreError: If the disk is full, or the place cannot be written to; nothing is left behind.
    """
    temporary = staged or path.parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        check()
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. What was written before is kept; "
            f"make room or name another place, then run again"
        ) from error
    finally:
        # Also on Ctrl-C; after the rename there is nothing left to remove.
        with suppress(OSError):
            temporary.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
