"""From the blocks of a matrix to what each cell asks of a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hashbench.core.cell import Cell
from hashbench.core.clusters import RaySettings, SlurmSettings
from hashbench.matrix.cluster_schema import ExecuteOverrideSpec
from hashbench.matrix.load import Matrix
from hashbench.matrix.naming import cell_names, matches
from hashbench.matrix.training_schema import Strict


def slurm_settings(matrix: Matrix, cells: Iterable[Cell]) -> dict[str, SlurmSettings]:
    """What each cell's Slurm job asks for, by fit id."""
    found = {}
    for cell in cells:
        wanted = matrix.spec.execute.slurm
        for override in _rules(matrix, cell):
            wanted = wanted.overridden_by(override.slurm)
        stated = _stated(wanted)
        if "setup" in stated:
            stated["setup"] = tuple(stated["setup"])
        found[cell.fit_id] = SlurmSettings(**stated)
    return found


def ray_settings(matrix: Matrix, cells: Iterable[Cell]) -> dict[str, RaySettings]:
    """What each cell asks of Ray, by fit id."""
    found = {}
    for cell in cells:
        wanted = matrix.spec.execute.ray
        for override in _rules(matrix, cell):
            wanted = wanted.overridden_by(override.ray)
        found[cell.fit_id] = RaySettings(**_stated(wanted))
    return found


def _rules(matrix: Matrix, cell: Cell) -> list[ExecuteOverrideSpec]:
    names = cell_names(cell)
    return [
        rule.execute
        for rule in matrix.spec.overrides
        if rule.execute is not None and matches(rule.where.values(), names)
    ]


def _stated(spec: Strict) -> dict[str, Any]:
    return spec.model_dump(exclude_none=True)
