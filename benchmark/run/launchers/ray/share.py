"""The resources of a cell on a Ray node: from the values of a matrix to Ray's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hashbench.core.clusters import RaySettings
from hashbench.core.errors import ConfigError
from hashbench.core.job import Job, Request

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True, slots=True)
class Node:
    """A living node of the cluster."""

    key: str
    host: str
    cpus: float
    gpus: float
    memory: float

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPUs", f"{self.gpus:g} GPUs"]
        return ", ".join([*parts, f"{self.memory / _UNITS['G']:.1f} GiB"])


@dataclass(frozen=True, slots=True)
class Share:
    """The resources of one cell.

    Attributes:
        cpus: Cores.
        gpus: GPUs, or the share of one.
        memory: Bytes; 0 for no demand.
    """

    cpus: float
    gpus: float
    memory: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """The options of its Ray task."""
        asked: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus}
        return {**asked, "memory": self.memory} if self.memory else asked

    def fits(self, node: Node) -> bool:
        """Whether a node could ever give it."""
        return self.cpus <= node.cpus and self.gpus <= node.gpus and self.memory <= node.memory

    def alone(self, nodes: Sequence[Node]) -> Share:
        """Return a share with all cores of the largest node that has the rest."""
        whole = (node.cpus for node in nodes if self.fits(node))
        return replace(self, cpus=max(whole, default=self.cpus))

    def __str__(self) -> str:
        memory = [f"{self.memory / _UNITS['G']:.1f} GiB"] if self.memory else []
        return ", ".join([f"{self.cpus:g} CPUs", f"{self.gpus:g} GPUs", *memory])


def share_of(job: Job, request: Request | None, nodes: Sequence[Node]) -> Share:
    """Return the resources of a cell.

    Raises:
        ConfigError: If no node could ever give that.
    """
    asked = request.ray.get(job.cell.fit_id, RaySettings()) if request else RaySettings()
    usual = 1 if request and request.all_cores else job.threads
    share = Share(
        cpus=usual if asked.cpus is None else asked.cpus,
        gpus=_usual_gpus(job, nodes) if asked.gpus is None else asked.gpus,
        memory=_bytes(asked.mem) if asked.mem else 0,
    )
    if share.gpus > 1 and not float(share.gpus).is_integer():
        raise ConfigError(
            f"execute.ray.gpus: {share.gpus:g}: Ray gives a share of one GPU or whole ones; "
            f"write 0.5, 1 or 2"
        )
    if not any(share.fits(node) for node in nodes):
        there = "; ".join(sorted({str(node) for node in nodes}))
        raise ConfigError(
            f"cell {job.cell.fit_id} asks for {share}, and no node of the Ray cluster has that "
            f"(there are nodes of {there}); change execute.ray, threads or device in the matrix"
        )
    return share


def threads_of(job: Job, share: Share, request: Request | None) -> Job:
    """Return a job with as many threads as cores, where the matrix leaves them to the machine."""
    if request is None or not request.all_cores:
        return job
    return replace(job, threads=max(1, int(share.cpus)))


def _usual_gpus(job: Job, nodes: Sequence[Node]) -> float:
    if job.device == "cpu":
        return 0
    return 1 if job.device == "cuda" or any(node.gpus for node in nodes) else 0


def _bytes(text: str) -> int:
    # As in Slurm, and so in a matrix: a number without a unit is in MiB.
    unit = text[-1] if text[-1] in _UNITS else "M"
    return int(text.removesuffix(unit)) * _UNITS[unit]
