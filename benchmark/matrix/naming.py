"""The names by which rules of a matrix and ``--select`` pick cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hashbench.core.cell import Cell
from hashbench.matrix.schema import PIXELS


def cell_names(cell: Cell) -> dict[str, str]:
    """What a cell is called, by the keys of a rule; empty where a key does not apply."""
    return {
        "dataset": cell.data.name,
        "protocol": cell.data.protocol,
        "backbone": cell.backbone.name if cell.backbone else PIXELS,
        "loss": cell.loss.name if cell.loss else "",
        "method": cell.method.name if cell.method else "",
        "bits": cell.bits_label,
        "seed": str(cell.seed),
    }


def matches(wanted: Mapping[str, Iterable[Any]], names: Mapping[str, str]) -> bool:
    """Whether a cell's names hold one of the values of every key wanted."""
    return all(names[key] in {str(value) for value in values} for key, values in wanted.items())
