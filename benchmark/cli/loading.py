"""From the words of a command line to cells and what is wanted of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hashbench.cli.options import parse_selections
from hashbench.core.cell import Cell
from hashbench.core.errors import NothingSelectedError
from hashbench.core.job import Request
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import registry
from hashbench.matrix.expand import Expansion, expand
from hashbench.matrix.load import load_matrix
from hashbench.matrix.request import build_request


@dataclass(frozen=True, slots=True)
class Wanted:
    """A matrix, resolved.

    Attributes:
        name: The matrix's name.
        cells: The cells selected, in its order.
        request: What is wanted of them.
        expansion: All cells, and those excluded.
    """

    name: str
    cells: tuple[Cell, ...]
    request: Request
    expansion: Expansion


def load(file: Path, *, selections: tuple[str, ...] = (), plugins: tuple[Path, ...] = ()) -> Wanted:
    """Read, check and expand a matrix.

    Args:
        file: The matrix file.
        selections: The words of ``--select``.
        plugins: Plugin files beside those the matrix names.

    Raises:
        ConfigError: With one line for each mistake.
        NothingSelectedError: If no cell is selected.
    """
    wanted = parse_selections(selections)
    load_plugins(plugins, registry())
    matrix = load_matrix(file, registry())
    expansion = expand(matrix, registry())
    request = build_request(matrix, expansion, registry())
    files = tuple(dict.fromkeys((*(p.resolve() for p in plugins), *request.plugins)))
    cells = tuple(cell for cell in expansion.cells if _selected(cell, wanted))
    if not cells:
        why = f"--select {' '.join(selections)}" if selections else "exclude leaves no cell"
        raise NothingSelectedError(f"{file}: nothing selected: {why}")
    return Wanted(matrix.spec.name, cells, replace(request, plugins=files), expansion)


def _selected(cell: Cell, wanted: dict[str, set[str]]) -> bool:
    names = {
        "dataset": cell.data.name,
        "protocol": cell.data.protocol,
        "backbone": cell.backbone.name if cell.backbone else "pixels",
        "loss": cell.loss.name if cell.loss else "",
        "method": cell.method.name if cell.method else "",
        "bits": cell.bits_label,
        "seed": str(cell.seed),
    }
    return all(
        any(cell.fit_id.startswith(value) for value in values)
        if key == "id"
        else names[key] in values
        for key, values in wanted.items()
    )
