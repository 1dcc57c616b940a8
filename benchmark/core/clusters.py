"""What a cell asks of a cluster's scheduler; never part of a fit's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """What a cell's Slurm job asks for; `hashbench.matrix.cluster_schema` has the meanings.

    Attributes:
        partition, account, qos, constraint: As sbatch has them; None for the cluster's own choice.
        gpus: GPUs, ``2`` or ``a100:1``; None: one, or none where the matrix says ``device: cpu``.
        cpus: Cores; None: as many as the matrix gives a cell threads.
        mem: Memory, such as ``16G``; None for the cluster's own choice.
        time: Seconds of one stay in the cluster.
        notice: Seconds before the end of that time at which a cell is asked to leave.
        requeues: How often a cell whose time is over is queued again, to go on where it was.
        chunk: Cells in one job array.
        parallel: Cells of one array at the same time.
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
    """What a cell asks of Ray; `hashbench.matrix.cluster_schema` has the meanings.

    Attributes:
        address: The cluster's; None for one on this machine.
        gpus: GPUs, or the share of one; None: one where there are any, or none where the matrix
            says ``device: cpu``.
        cpus: Cores; None: as many as the matrix gives a cell threads.
        mem: Memory, such as ``16G``; None for no demand.
    """

    address: str | None = None
    gpus: float | None = None
    cpus: float | None = None
    mem: str | None = None
