"""The options of a run, the slots of this machine, and the observer of progress."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from hashbench.core.job import Request
from hashbench.core.record import Status
from hashbench.run.plan import Planned
from hashbench.store.catalogue import CellResults
from hashbench.store.lease import PERIOD


class Observer(Protocol):
    """Told of the progress of a run."""

    def started(self, planned: Planned, position: int, total: int) -> None:
        """A cell's process was launched."""
        ...

    def heard(self, event: dict[str, Any]) -> None:
        """A running worker reported an event; ``event["cell"]`` is the id of its cell."""
        ...

    def put_off(self, planned: Planned, why: str) -> None:
        """A cell is not done yet: its process ended and another will follow, or it waits."""
        ...

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """A cell is done or has failed; its results are in the store."""
        ...


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one cell on this machine.

    Attributes:
        number: Counted from 0.
        gpu: The only CUDA device that its cell sees, as CUDA_VISIBLE_DEVICES names it; None where
            there is nothing to choose from.
    """

    number: int
    gpu: str | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run.

    Attributes:
        slots: Room on this machine, one for each cell that runs beside others.
        timeout: Seconds after which a cell's process group is killed, or None.
        retries: How often a cell is tried again within the run, by the status it ended with.
        lease_period: Seconds of silence after which another run takes a cell over.
        seconds: Estimated seconds by fit id; the longest start first.
        request: What is requested of the cells, with the resources of each on a cluster.
        address: The Ray cluster to join, instead of the one that the matrix names.
    """

    slots: tuple[Slot, ...] = (Slot(0),)
    timeout: float | None = None
    retries: Mapping[Status, int] = field(default_factory=dict)
    lease_period: float = PERIOD
    seconds: Mapping[str, float] = field(default_factory=dict)
    request: Request | None = None
    address: str | None = None


def make_slots(wanted: int | Literal["auto"], *, device: str, threads: int) -> tuple[Slot, ...]:
    """Make the slots of this machine.

    Args:
        wanted: How many, on CUDA for each device; ``auto``: one for each CUDA device, or as many
            as cells of so many threads keep the cores busy.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: Threads of a cell.
    """
    gpus = visible_gpus() if device != "cpu" else []
    if gpus:
        each = 1 if wanted == "auto" else wanted
        # A cell at a time on every device first, then a second one.
        names = [gpu for _ in range(each) for gpu in gpus]
        return tuple(Slot(number, gpu) for number, gpu in enumerate(names))
    cores = len(os.sched_getaffinity(0))
    count = max(1, cores // threads) if wanted == "auto" else wanted
    return tuple(Slot(number) for number in range(count))


def visible_gpus() -> list[str]:
    """Return the CUDA devices that may be used, as CUDA_VISIBLE_DEVICES names them."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return []  # torch takes seconds to import, and would say the same
    import torch

    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = allowed.split(",") if allowed else [str(number) for number in range(count)]
    return [name.strip() for name in named[:count]]
