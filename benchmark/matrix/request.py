"""What a matrix wants measured, and with what means."""

from __future__ import annotations

import os

from hashbench.core.job import LatencySetting, Request
from hashbench.core.registry import Registry
from hashbench.evaluation.names import Metric, expand_metrics
from hashbench.matrix.cluster_settings import ray_settings, slurm_settings
from hashbench.matrix.engines import engine_params
from hashbench.matrix.expand import Expansion
from hashbench.matrix.load import Matrix
from hashbench.matrix.schema import EvaluateSpec, LatencySpec


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
        slurm=slurm_settings(matrix, expansion.cells),
        ray=ray_settings(matrix, expansion.cells),
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
