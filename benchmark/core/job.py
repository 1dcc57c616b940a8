"""The work of one process on one cell, and the options of a matrix for all its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from hashbench.core.cell import Cell
from hashbench.core.clusters import RaySettings, SlurmSettings


@dataclass(frozen=True, slots=True)
class LatencySetting:
    """The setting of one latency measurement: an engine and how it is called.

    Attributes:
        engine: Name of the search engine.
        k: Number of neighbours to find.
        batch: Queries in one call.
        threads: Threads of the engine.
        params: Every parameter of the engine, defaults included, as plain data.
        samples: Number of timed calls.
        seconds: Time limit of these calls.
    """

    engine: str
    k: int
    batch: int
    threads: int
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    samples: int = 1000
    seconds: float = 3.0

    def unwritten(self) -> frozenset[str]:
        """The settings that were added after latencies had been recorded and have their defaults.

        They are not written, so that the ids of older records stay valid.
        """
        usual = LatencySetting(self.engine, self.k, self.batch, self.threads)
        later = ("params", "samples", "seconds")
        return frozenset(name for name in later if getattr(self, name) == getattr(usual, name))


@dataclass(frozen=True, slots=True)
class Job:
    """A cell and the results of it that are still missing.

    Attributes:
        cell: The cell.
        store: Folder of the store.
        fit: Whether to train and encode; otherwise the stored codes are used.
        metrics: Full names of the metrics to compute.
        latency: Latency settings to measure.
        validation_metrics: Full names of the metrics computed on the validation part.
        validate_every: Epochs between two validations; 0 for never.
        device: ``cpu`` or ``cuda``.
        threads: Threads of the training process.
        data_root: The folder of datasets, if the user named one.
        weights: File of the backbone's first weights, if any.
        plugins: Plugin files to load first.
        keep_model: Whether a fit keeps its model for encoding other images.
        lease: Number of the lease under which the cell is computed; 0 for none.
        lease_period: Seconds without a sign of life after which that lease may be taken over.
    """

    cell: Cell
    store: Path
    fit: bool
    metrics: tuple[str, ...] = ()
    latency: tuple[LatencySetting, ...] = ()
    validation_metrics: tuple[str, ...] = ()
    validate_every: int = 0
    device: str = "cpu"
    threads: int = 1
    data_root: Path | None = None
    weights: Path | None = None
    plugins: tuple[Path, ...] = ()
    keep_model: bool = False
    lease: int = 0
    lease_period: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether no result is missing."""
        return not (self.fit or self.metrics or self.latency)


@dataclass(frozen=True, slots=True)
class Request:
    """The options of a matrix for all its cells: metrics, latency and execution.

    Attributes:
        metrics: Full names of the metrics of codes.
        float_metrics: Those metrics that are defined for embeddings too.
        latency: Latency settings, for codes only.
        validate_every: Epochs between two validations; 0 for never.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: Threads of a cell's process.
        timeout: Seconds after which a cell is killed, or None.
        data_root: The folder of datasets.
        weights: Weight files by SHA-256.
        plugins: Plugin files.
        keep_model: Whether fits keep their models for encoding other images.
        slots: Cells that run at the same time, on CUDA for each device; or ``auto``.
        retries: How often a cell is tried again within a run, by its status.
        backend: The launcher of cells: ``local``, ``slurm`` or ``ray``.
        all_cores: Whether `threads` is the number of cores, which another machine replaces by its
            own.
        slurm: The resources of each cell's Slurm job, by fit id.
        ray: The resources that each cell requests from Ray, by fit id.
    """

    metrics: tuple[str, ...]
    float_metrics: tuple[str, ...]
    latency: tuple[LatencySetting, ...]
    validate_every: int
    device: str
    threads: int
    timeout: float | None
    data_root: Path | None
    weights: Mapping[str, Path]
    plugins: tuple[Path, ...]
    keep_model: bool = False
    slots: int | Literal["auto"] = 1
    retries: Mapping[str, int] = field(default_factory=dict)
    backend: str = "local"
    all_cores: bool = False
    slurm: Mapping[str, SlurmSettings] = field(default_factory=dict)
    ray: Mapping[str, RaySettings] = field(default_factory=dict)


JOB = TypeAdapter(Job)
"""Reads and writes a job as JSON."""
