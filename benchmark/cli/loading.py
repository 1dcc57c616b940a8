"""Resolve a matrix file and command-line options into cells and a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hashbench.cli.options import parse_selections
from hashbench.core.cell import Cell
from hashbench.core.errors import DataError, HashbenchError, NothingSelectedError
from hashbench.core.job import Request
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import registry
from hashbench.matrix.expand import Expansion, expand
from hashbench.matrix.load import load_matrix
from hashbench.matrix.naming import cell_names, losses_of, matches, none_is
from hashbench.matrix.request import build_request


@dataclass(frozen=True, slots=True)
class Wanted:
    """A matrix, resolved.

    Attributes:
        name: The matrix's name.
        cells: The cells selected, in its order.
        request: What is requested of them, with the overrides of the command line.
        expansion: All cells, and those excluded.
    """

    name: str
    cells: tuple[Cell, ...]
    request: Request
    expansion: Expansion


def load(
    file: Path,
    *,
    selections: tuple[str, ...] = (),
    plugins: tuple[Path, ...] = (),
    data_root: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Wanted:
    """Read, check and expand a matrix.

    Args:
        file: The matrix file.
        selections: The words of ``--select``.
        plugins: Plugin files beside those the matrix names.
        data_root: Where datasets are, instead of where the matrix says.
        overrides: Fields of the request that the command line sets; None leaves one as it is.

    Raises:
        ConfigError: With one line for each mistake.
        NothingSelectedError: If no cell is selected.
    """
    wanted = parse_selections(selections)
    load_plugins(plugins, registry())
    matrix = load_matrix(file, registry(), data_root=data_root)
    expansion = expand(matrix, registry())
    request = build_request(matrix, expansion)
    files = tuple(dict.fromkeys((*(p.resolve() for p in plugins), *request.plugins)))
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    chosen = chooser(wanted)
    cells = tuple(cell for cell in expansion.cells if chosen(cell))
    if not cells:
        raise NothingSelectedError(f"{file}: {_why_none(wanted, selections, expansion)}")
    request = replace(request, plugins=files, **given)
    return Wanted(matrix.spec.name, cells, request, expansion)


def _why_none(
    wanted: dict[str, set[str]], selections: tuple[str, ...], expansion: Expansion
) -> str:
    if not selections:
        return "nothing selected: exclude leaves no cell"
    said = f"nothing selected: --select {' '.join(selections)}"
    named = {key: values for key, values in wanted.items() if key != "id"}
    why = none_is(named, map(cell_names, expansion.cells))
    return f"{said}; it has {why}" if why else said


def check_data(cells: Sequence[Cell], *, root: Path | None) -> None:
    """Load every dataset that cells are trained on, so that a damaged one is found before the run.

    Args:
        cells: Cells that are to be trained.
        root: Where the user or the matrix says datasets are.

    Raises:
        DataError: With one line for each dataset that is missing, damaged, or not as its protocol
            says.
    """
    from hashbench.datasets.loading import load_data

    problems = []
    for name, protocol, subset in dict.fromkeys(
        (cell.data.name, cell.data.protocol, cell.data.subset) for cell in cells
    ):
        try:
            load_data(name, protocol, subset=subset, root=root)
        except HashbenchError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(dict.fromkeys(problems)))


def chooser(wanted: dict[str, set[str]]) -> Callable[[Cell], bool]:
    """Return a function that tells whether ``--select`` selects a cell.

    Args:
        wanted: What `parse_selections` gives.
    """
    named = {key: values for key, values in wanted.items() if key != "id"}
    if "loss" in named:
        named["loss"] = set(losses_of(named["loss"], registry()))
    prefixes = tuple(wanted.get("id", ("",)))
    return lambda cell: matches(named, cell_names(cell)) and cell.fit_id.startswith(prefixes)
