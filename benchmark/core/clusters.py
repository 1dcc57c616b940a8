"""The resources that cells request from a cluster's scheduler; no part of a fit's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """The resources of a cell's Slurm job; see also `hashbench.matrix.cluster_schema`.

    Attributes:
        partition, account, qos, constraint: Options of sbatch; None for the cluster's default.
        gpus: GPUs, ``2`` or ``a100:1``; None: one, or none where the matrix says ``device: cpu``.
        cpus: Cores; None: as many as the matrix gives a cell threads.
        mem: Memory, such as ``16G``; None for the cluster's default.
        time: Time limit of one job in seconds.
        notice: Seconds before that limit at which a cell is told to stop.
        requeues: How often a cell that ran into the limit is queued again, to be resumed.
        chunk: Number of cells in one job array.
        parallel: Number of cells of one array that run at the same time.
        setup: Shell commands before the cell.
        options: Further options of sbatch, by their long names.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus: str | None = None
    cpus: int | None = None
    mem: str | None = None
    time: float = 4 * _HOUR
    notice: float = 120.0
    requeues: int = 10
    chunk: int = 500
    parallel: int = 256
    setup: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class RaySettings:
    """The resources that a cell requests from Ray; see also `hashbench.matrix.cluster_schema`.

    Attributes:
        address: Address of the cluster; None for one on this machine.
        gpus: GPUs, or the share of one; None: one if there are any, or none if the matrix says
            ``device: cpu``.
        cpus: Cores; None: as many as the matrix gives a cell threads.
        mem: Memory, such as ``16G``; None for no request.
    """

    address: str | None = None
    gpus: float | None = None
    cpus: float | None = None
    mem: str | None = None
