"""The request of a matrix: what is measured of its cells, and with which resources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from hashbench.core.cell import Cell
from hashbench.core.clusters import RaySettings, SlurmSettings
from hashbench.core.job import LatencySetting, Request
from hashbench.core.registry import Registry
from hashbench.evaluation.names import Metric, expand_metrics
from hashbench.matrix.cluster_schema import ExecuteOverrideSpec
from hashbench.matrix.expand import Expansion
from hashbench.matrix.load import Matrix
from hashbench.matrix.naming import cell_names, matches
from hashbench.matrix.refusals import engine_params
from hashbench.matrix.schema import EvaluateSpec, LatencySpec
from hashbench.matrix.training_schema import Strict


def build_request(matrix: Matrix, expansion: Expansion) -> Request:
    """Resolve the blocks ``evaluate``, ``latency`` and ``execute`` of a valid matrix."""
    execute, evaluate = matrix.spec.execute, matrix.spec.evaluate
    metrics = _metrics(evaluate)
    cores = len(os.sched_getaffinity(0))
    return Request(
        metrics=tuple(metric.name for metric in metrics),
        float_metrics=tuple(metric.name for metric in metrics if not metric.needs_codes),
        latency=_latency(matrix.spec.latency, matrix.lookup.registry),
        validate_every=evaluate.every,
        device=execute.device,
        threads=cores if execute.threads == "auto" else execute.threads,
        timeout=execute.timeout,
        data_root=matrix.data_root,
        weights=expansion.weights,
        plugins=matrix.plugins,
        keep_model=execute.keep_model,
        slots=execute.slots,
        retries=execute.retries.model_dump(),
        backend=execute.backend,
        all_cores=execute.threads == "auto",
        slurm=_slurm_settings(matrix, expansion.cells),
        ray=_ray_settings(matrix, expansion.cells),
    )


def _metrics(wanted: EvaluateSpec) -> tuple[Metric, ...]:
    within = [] if wanted.radius is None else ["precision", "recall"]
    names = [*wanted.metrics, *(f"{family}@r{wanted.radius}" for family in within)]
    return expand_metrics(names, wanted.cutoffs)


def _latency(wanted: list[LatencySpec], registry: Registry) -> tuple[LatencySetting, ...]:
    settings = [
        LatencySetting(
            spec.engine,
            k,
            batch,
            spec.threads,
            engine_params(spec, registry),
            spec.samples,
            spec.seconds,
        )
        for spec in wanted
        for k in spec.k
        for batch in spec.batches
    ]
    return tuple(dict.fromkeys(settings))


def _slurm_settings(matrix: Matrix, cells: Iterable[Cell]) -> dict[str, SlurmSettings]:
    """Return the resources of each cell's Slurm job, by fit id."""
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


def _ray_settings(matrix: Matrix, cells: Iterable[Cell]) -> dict[str, RaySettings]:
    """Return the resources of each cell on Ray, by fit id."""
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
