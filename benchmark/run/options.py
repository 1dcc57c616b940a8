"""With what cells are run, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hashbench.core.cell import Cell
from hashbench.core.job import Request
from hashbench.core.record import Status
from hashbench.run.plan import Planned
from hashbench.run.slots import Slot
from hashbench.store.catalogue import CellResults
from hashbench.store.lease import PERIOD


class Observer(Protocol):
    """Who is told how the run goes."""

    def started(self, planned: Planned, position: int, total: int) -> None:
        """A cell's process was launched."""
        ...

    def heard(self, event: dict[str, Any]) -> None:
        """A running worker said something; ``event["cell"]`` is the id of its cell."""
        ...

    def put_off(self, planned: Planned, why: str) -> None:
        """A cell is not done yet: its process ended and another will follow, or it waits."""
        ...

    def finished(self, planned: Planned, results: CellResults, seconds: float) -> None:
        """A cell is done or has failed; its results are in the store."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """With what cells are run.

    Attributes:
        slots: How many beside each other, and where.
        timeout: Seconds after which a cell's process group is killed, or None.
        retries: How often a cell is tried again within the run, by the status it ended with.
        lease_period: Seconds of silence after which another run takes a cell over.
        again: Plans a cell anew: another run may have done it since it was planned.
        seconds: Estimated seconds by fit id; the longest start first.
        request: What is wanted of the cells, for machines that plan them anew by themselves; what
            each asks of a cluster is in it.
        address: Of the Ray cluster, instead of what the matrix says.
    """

    slots: tuple[Slot, ...] = (Slot(0),)
    timeout: float | None = None
    retries: Mapping[Status, int] = field(default_factory=dict)
    lease_period: float = PERIOD
    again: Callable[[Cell], Planned] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    request: Request | None = None
    address: str | None = None
