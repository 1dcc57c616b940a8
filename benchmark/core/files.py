"""Write files atomically: a file is either complete or absent."""

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
        path: The file; folders above it are made.
        data: Its whole content.
        staged: The temporary name, on the same file system; by default one beside the file.
        check: Called when the temporary file is complete; if it raises, no file is left.

    Raises:
        StoreError: If the disk is full or the folder cannot be written; no file is left.
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
            f"cannot write {path}: {error.strerror or error}. Files written before are kept; "
            f"free disk space or name another folder, then run again"
        ) from error
    finally:
        # Also on Ctrl-C; after the rename there is no temporary file.
        with suppress(OSError):
            temporary.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
