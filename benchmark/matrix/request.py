"""What a matrix wants measured, and with what means."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

from hashbench.core.errors import ConfigError
from hashbench.core.job import LatencySetting, Request
from hashbench.core.registry import Kind, Registry
from hashbench.evaluation.names import Metric, expand_metrics
from hashbench.matrix.expand import Expansion
from hashbench.matrix.load import Matrix


def build_request(matrix: Matrix, expansion: Expansion, registry: Registry) -> Request:
    """Resolve the blocks ``evaluate``, ``latency`` and ``execute``.

    Args:
        matrix: The validated file.
        expansion: Its cells.
        registry: Where engines are looked up.

    Raises:
        ConfigError: With one line for each metric or engine that cannot be had.
    """
    problems: list[str] = []
    metrics = _metrics(matrix, problems)
    latency = _latency(matrix, registry, problems)
    root = matrix.spec.execute.data_root
    data_root = matrix.path(str(Path(root).expanduser())) if root else None
    if data_root is not None and not data_root.is_dir():
        place = ("execute", "data_root")
        problems.append(matrix.positions.problem(place, f"no such folder: {data_root}"))
    if problems:
        raise ConfigError(*problems)
    execute = matrix.spec.execute
    threads = execute.threads
    return Request(
        metrics=tuple(metric.name for metric in metrics),
        float_metrics=tuple(metric.name for metric in metrics if not metric.needs_codes),
        latency=latency,
        validate_every=matrix.spec.evaluate.every,
        device=execute.device,
        threads=len(os.sched_getaffinity(0)) if threads == "auto" else threads,
        timeout=execute.timeout,
        data_root=data_root,
        weights=expansion.weights,
        plugins=matrix.plugins,
    )


def _metrics(matrix: Matrix, problems: list[str]) -> tuple[Metric, ...]:
    wanted = matrix.spec.evaluate
    found: list[Metric] = []
    for i, name in enumerate(wanted.metrics):
        try:
            found += expand_metrics([name], wanted.cutoffs)
        except ConfigError as error:
            place = ("evaluate", "metrics", i)
            problems += [matrix.positions.problem(place, text) for text in error.problems]
    if wanted.radius is not None:
        found += expand_metrics([f"precision@r{wanted.radius}", f"recall@r{wanted.radius}"], [])
    return tuple(dict.fromkeys(found))


def _latency(matrix: Matrix, registry: Registry, problems: list[str]) -> tuple[LatencySetting, ...]:
    settings: list[LatencySetting] = []
    for i, spec in enumerate(matrix.spec.latency):
        place = ("latency", i, "engine")
        try:
            missing = registry.load(Kind.ENGINE, spec.engine).available()
        except ConfigError as error:
            missing = str(error)
        if missing:
            problems.append(matrix.positions.problem(place, missing))
        settings += [
            LatencySetting(spec.engine, k, batch, threads)
            for k, batch, threads in product([spec.k], spec.batches, [spec.threads])
        ]
    return tuple(dict.fromkeys(settings))
