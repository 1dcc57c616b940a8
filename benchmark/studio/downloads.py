"""Files offered for download: links in the one folder that may be read from outside."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from hashbench.core.errors import StoreError
from hashbench.studio.context import StudioContext
from hashbench.studio.serving.surroundings import uploads_folder


def offer_file(path: Path, context: StudioContext) -> str:
    """Offer a file as it is now.

    Args:
        path: The file.
        context: What the page was started with.

    Returns:
        Where a download button takes it from.

    Raises:
        StoreError: If it cannot be linked or copied.
    """
    target = _place(path.name, context)
    try:
        try:
            os.link(path, target)
        except OSError:  # another disk
            shutil.copyfile(path, target)
        # The folder is emptied of what is old; the link has the age of the file.
        os.utime(target.parent)
    except OSError as error:
        raise StoreError(f"cannot offer {path.name}: {error.strerror or error}") from None
    return str(target)


def offer_text(name: str, text: str, context: StudioContext) -> str:
    """Offer a text.

    Args:
        name: The file's name.
        text: Its content.
        context: What the page was started with.

    Returns:
        Where a download button takes it from.

    Raises:
        StoreError: If it cannot be written.
    """
    target = _place(name, context)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot offer {name}: {error.strerror or error}; make room") from None
    return str(target)


def _place(name: str, context: StudioContext) -> Path:
    folder = uploads_folder(context.store).resolve() / f"offer-{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}; make room") from None
    return folder / name
