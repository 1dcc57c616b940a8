"""Checkpoints: everything an epoch leaves behind, written whole or not at all."""

from __future__ import annotations

import io
import shutil
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
        for old in sorted(self.folder.glob("epoch-*.pt"))[:-KEPT]:
            old.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest checkpoint that can be read, or None; an unreadable one is passed over."""
        if self.folder is None:
            return None
        for path in sorted(self.folder.glob("epoch-*.pt"), reverse=True):
            try:
                state = torch.load(path, map_location=device, weights_only=True)
            except Exception:  # noqa: S112 - whatever a torn file does to the reader
                continue
            return dict(state)
        return None

    def clear(self) -> None:
        """Remove them: the cell is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
