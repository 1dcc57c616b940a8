"""Checkpoints: everything an epoch leaves behind, written whole or not at all."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hashbench.core.files import write_atomically

KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The newest checkpoints of one cell.

    Attributes:
        folder: Where they lie; None keeps none.
    """

    folder: Path | None

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Write the state after ``epoch`` epochs and drop all but the newest two.

        Raises:
            StoreError: If it cannot be written.
        """
        if self.folder is None:
            return
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.folder / f"epoch-{epoch:06d}.pt", buffer.getvalue())
        for old in self._newest_first()[KEPT:]:
            old.unlink()

    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read, on the CPU, or None; a torn one is skipped."""
        for path in self._newest_first():
            try:
                state = torch.load(path, map_location="cpu", weights_only=True)
            except Exception:  # noqa: S112 - whatever a torn file does to the reader
                continue
            return dict(state)
        return None

    def clear(self) -> None:
        """Remove them: the cell is done, or they are another code's work."""
        for path in self._newest_first():
            path.unlink()

    def _newest_first(self) -> list[Path]:
        if self.folder is None:
            return []
        return sorted(self.folder.glob("epoch-*.pt"), reverse=True)
