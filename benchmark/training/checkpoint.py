"""Checkpoints: everything an epoch, or a part of one, leaves behind, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from hashbench.core.files import write_atomically

KEPT = 2
_DIGEST_BYTES = sha256().digest_size


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The newest checkpoints of one cell.

    A file starts with the digest of what follows: torch itself would take up numbers that a disk
    has changed.

    Attributes:
        folder: Where they lie; None keeps none.
    """

    folder: Path | None

    def save(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Write the state after ``epoch`` epochs and drop all but the newest two.

        Raises:
            StoreError: If it cannot be written.
        """
        if self.folder is None:
            return
        _write(self.folder / f"epoch-{epoch:06d}.pt", state)
        for old in [*self._newest_first()[KEPT:], *self._parts()]:
            old.unlink(missing_ok=True)  # a worker that woke up after a takeover drops some, too

    def save_part(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Write the state within the epoch that follows ``epoch`` whole ones.

        Raises:
            StoreError: If it cannot be written.
        """
        if self.folder is not None:
            _write(self.folder / f"part-{epoch:06d}.pt", state)

    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read, on the CPU, or None; a torn one is skipped."""
        states = (_read(path) for path in self._newest_first())
        return next((state for state in states if state is not None), None)

    def load_part(self, epoch: int) -> dict[str, Any] | None:
        """What was kept within the epoch that follows ``epoch`` whole ones, or None."""
        return None if self.folder is None else _read(self.folder / f"part-{epoch:06d}.pt")

    def clear(self) -> None:
        """Remove them: the cell is done, or they are another code's work."""
        for path in [*self._newest_first(), *self._parts()]:
            path.unlink(missing_ok=True)

    def _newest_first(self) -> list[Path]:
        return [] if self.folder is None else sorted(self.folder.glob("epoch-*.pt"), reverse=True)

    def _parts(self) -> list[Path]:
        return [] if self.folder is None else list(self.folder.glob("part-*.pt"))


def _write(path: Path, state: Mapping[str, Any]) -> None:
    buffer = io.BytesIO()
    buffer.write(bytes(_DIGEST_BYTES))
    torch.save(dict(state), buffer)
    view = buffer.getbuffer()
    view[:_DIGEST_BYTES] = sha256(view[_DIGEST_BYTES:]).digest()
    write_atomically(path, view)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = memoryview(path.read_bytes())
        if sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
            return None
        stream = io.BytesIO(data[_DIGEST_BYTES:])
        return dict(torch.load(stream, map_location="cpu", weights_only=True))
    except Exception:  # whatever a file that was not written by `_write` does to the reader
        return None
