"""Read and write ``left-out.txt``: the artifacts that a store lacks on purpose.

An artifact may be too large, for instance, for the repository that the store is committed to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hashbench.core.errors import DamagedStoreError
from hashbench.core.files import write_atomically

NAME = "left-out.txt"
_ARTIFACT = re.compile(r"[0-9a-f]{16}/[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors")


def read_left_out(root: Path) -> frozenset[str]:
    """Read the artifacts, as ``FIT_ID/FILE``, that a store's ``left-out.txt`` names, one a line.

    Empty lines and comments after ``#`` are skipped. Only single files can be named, no patterns. A
    named file that exists is checked like any other. Without ``left-out.txt`` there are no names.

    Raises:
        DamagedStoreError: If it cannot be read, or a line names no artifact.
    """
    path = root / NAME
    if path.is_symlink() or not path.exists():
        return frozenset()
    if not path.is_file():  # a named pipe would be waited for
        raise DamagedStoreError(f"store: {path} is not a regular file; replace it by one")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedStoreError(f"store: {path} cannot be read ({error})") from None
    named = {number: line.strip() for number, line in enumerate(lines, start=1)}
    artifacts = {n: text for n, text in named.items() if text and not text.startswith("#")}
    for number, text in artifacts.items():
        if not _ARTIFACT.fullmatch(text):
            raise DamagedStoreError(
                f"store: {path} line {number}: {text[:60]!r} is no artifact's FIT_ID/FILE; "
                f"write one a line, and comments after a #"
            )
    return frozenset(artifacts.values())


def add_left_out(root: Path, names: Iterable[str]) -> None:
    """Add artifacts to a store's ``left-out.txt``, unless they exist or are named already.

    Args:
        root: The store's folder.
        names: Artifacts as ``FIT_ID/FILE``.

    Raises:
        DamagedStoreError: If the present file cannot be read.
        StoreError: If it cannot be written.
    """
    known, path = read_left_out(root), root / NAME
    new = [name for name in sorted(set(names) - known) if not (root / name).exists()]
    if new:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        write_atomically(path, ("\n".join([*lines, *new]) + "\n").encode())
