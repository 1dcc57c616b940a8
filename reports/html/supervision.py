"""Whether a cell's method learnt from labels, by the card of its component."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hashbench.core.cell import Cell
from hashbench.core.errors import HashbenchError
from hashbench.core.registry import Kind, registry

UNKNOWN: Final = "unknown"


def supervision_of(cell: Cell) -> str:
    """What the loss or the shallow method learns from.

    Args:
        cell: A cell; its component may be of a plugin that is not installed here.

    Returns:
        ``labels``, ``none`` or ``unknown``.
    """
    if cell.loss is not None:
        return _of(Kind.LOSS, cell.loss.name)
    return _of(Kind.METHOD, cell.method.name) if cell.method is not None else UNKNOWN


@lru_cache(maxsize=256)
def _of(kind: Kind, name: str) -> str:
    try:
        return str(registry().load(kind, name).info.supervision.value)
    except (HashbenchError, ImportError, AttributeError):
        return UNKNOWN
