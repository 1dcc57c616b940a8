"""The names by which rules of a matrix and ``--select`` pick cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hashbench.core.cell import Cell
from hashbench.core.errors import did_you_mean
from hashbench.core.registry import Kind, Registry

PIXELS = "pixels"


def cell_names(cell: Cell) -> dict[str, str]:
    """Return the names of a cell by the keys of a rule; empty where a key does not apply."""
    return {
        "dataset": cell.data.name,
        "protocol": cell.data.protocol,
        "backbone": cell.backbone.name if cell.backbone else PIXELS,
        "loss": cell.loss.name if cell.loss else "",
        "method": cell.method.name if cell.method else "",
        "bits": cell.bits_label,
        "seed": str(cell.seed),
    }


def losses_of(names: Iterable[str], registry: Registry) -> list[str]:
    """Return the losses that a rule names, each group replaced by its members."""
    groups = set(registry.names(Kind.LOSS_GROUP))
    return [
        loss
        for name in names
        for loss in (registry.load(Kind.LOSS_GROUP, name).losses if name in groups else [name])
    ]


def none_is(wanted: Mapping[str, Iterable[str]], known: Iterable[Mapping[str, str]]) -> str:
    """Return a message for the first key of which no cell has a value; empty if all match.

    Args:
        wanted: Values by key.
        known: The names of the cells.
    """
    cells = list(known)
    for key, values in wanted.items():
        there = sorted({names[key] for names in cells} - {""})
        if not set(values) & set(there):
            return f"no {key} of {min(values)}. {did_you_mean(min(values), there)}"
    return ""


def matches(wanted: Mapping[str, Iterable[Any]], names: Mapping[str, str]) -> bool:
    """Whether a cell has one of the selected values for every selected key."""
    return all(names[key] in {str(value) for value in values} for key, values in wanted.items())
