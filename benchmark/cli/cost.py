"""Estimated time and disk space of a run, for ``run --dry-run`` and ``status``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hashbench.cli.eta import duration

if TYPE_CHECKING:
    from hashbench.run.estimate import Estimate
    from hashbench.run.plan import Planned
    from hashbench.store.store import Store

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Costs:
    """Estimated costs of cells.

    Attributes:
        by_cell: The estimate of each cell with something missing, by its fit id.
        slots: Cells beside each other.
    """

    by_cell: dict[str, Estimate]
    slots: int = 1

    @classmethod
    def of(cls, to_do: Sequence[Planned], store: Store, *, device: str, slots: int) -> Costs:
        """Estimate cells by the records of a store, made on the same kind of device."""
        from hashbench.run.estimate import Estimator

        estimate = Estimator(store, device=device)
        return cls({item.cell.fit_id: estimate(item.job) for item in to_do}, slots)

    @property
    def seconds(self) -> dict[str, float]:
        """Estimated seconds by fit id, where known."""
        known = {name: each.seconds for name, each in self.by_cell.items()}
        return {name: value for name, value in known.items() if value is not None}

    def of_cell(self, fit_id: str) -> str:
        """Return the estimated time of one cell as text; empty if unknown."""
        seconds = self.seconds.get(fit_id)
        return "" if seconds is None else f"  about {duration(seconds)}"

    def lines(self) -> list[str]:
        """Return lines with the total time and disk space, and the records they are based on."""
        if not self.by_cell:
            return []
        known = self.seconds.values()
        unknown = len(self.by_cell) - len(known)
        beside = "one cell at a time" if self.slots == 1 else f"{self.slots} cells at a time"
        bytes_ = sum(each.stored_bytes or 0.0 for each in self.by_cell.values())
        rest = f", and {unknown} of {len(self.by_cell)} cells unknown" if unknown else ""
        sources = Counter(each.source for each in self.by_cell.values())
        total = f"about {duration(sum(known) / self.slots)}, {beside}; {_size(bytes_)} in the store"
        return [
            f"estimate: {total if known else 'time and disk unknown'}{rest if known else ''}",
            *(f"  {count} of {len(self.by_cell)}: {why}" for why, count in sources.items()),
        ]


def _size(amount: float) -> str:
    for unit in _UNITS:
        if amount < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
