"""Checkpoints of a training, written whole or not at all, and the generators' states in them."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hashbench.core.files import write_atomically

KEPT = 2
_DIGEST_BYTES = sha256().digest_size


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The newest checkpoints of one cell.

    A file starts with the digest of what follows, because torch itself would load numbers that a
    faulty disk has changed.

    Attributes:
        folder: The folder of the files; None keeps no checkpoint.
    """

    folder: Path | None

    def save(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Write the state after ``epoch`` epochs and delete all but the newest two.

        Raises:
            StoreError: If it cannot be written.
        """
        if self.folder is None:
            return
        _write(self.folder / f"epoch-{epoch:06d}.pt", state)
        for old in [*self._newest_first()[KEPT:], *self._parts()]:
            old.unlink(missing_ok=True)  # another worker may delete them after a takeover

    def save_part(self, epoch: int, state: Mapping[str, Any]) -> None:
        """Write a state within the epoch that follows ``epoch`` whole ones.

        Raises:
            StoreError: If it cannot be written.
        """
        if self.folder is not None:
            _write(self.folder / f"part-{epoch:06d}.pt", state)

    def load(self) -> dict[str, Any] | None:
        """Load the newest intact checkpoint to the CPU; None if there is none."""
        states = (_read(path) for path in self._newest_first())
        return next((state for state in states if state is not None), None)

    def load_part(self, epoch: int) -> dict[str, Any] | None:
        """Load the state within the epoch that follows ``epoch`` whole ones, or None."""
        return None if self.folder is None else _read(self.folder / f"part-{epoch:06d}.pt")

    def clear(self) -> None:
        """Delete all checkpoints."""
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
    except Exception:  # a file that `_write` did not write can raise anything
        return None


def generator_states() -> dict[str, Any]:
    """Return the states of the global generators of Python, numpy, torch and all CUDA devices."""
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 - the global one
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call] # torch has no types for it
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else [],
    }


def restore_generators(states: dict[str, Any]) -> None:
    """Set the global generators to the states that `generator_states` returned."""
    random.setstate(states["python"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - as above
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
