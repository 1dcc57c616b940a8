"""Records as compact data of a page: what many of them share is written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hashbench.core.canonical import canonical_json
from hashbench.core.record import FitRecord
from hashbench.store.catalogue import CellResults

SHARED: Final = "$"  # a mapping of this key alone stands for an entry of the shared list
EPOCHS_SHOWN: Final = 12
_WORTH_SHARING = 60  # bytes
_DIGITS = 6


class Shared:
    """Mappings written once and referred to by number.

    Attributes:
        entries: The mappings, each before whatever refers to it.
    """

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._numbers: dict[bytes, int] = {}

    def shorten(self, value: Any, *, top: bool = True) -> Any:
        """Replace large mappings inside a value by references; round what is not whole."""
        if isinstance(value, Mapping):
            short = {key: self.shorten(item, top=False) for key, item in value.items()}
            return short if top else self._reference(short)
        if isinstance(value, list | tuple):
            return [self.shorten(item, top=False) for item in value]
        return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value

    def _reference(self, short: dict[str, Any]) -> dict[str, Any]:
        text = canonical_json(short)
        if len(text) < _WORTH_SHARING:
            return short
        if text not in self._numbers:
            self._numbers[text] = len(self.entries)
            self.entries.append(short)
        return {SHARED: self._numbers[text]}


def documents(cells: Sequence[CellResults], shared: Shared) -> dict[str, Any]:
    """Every record that counts, by its id.

    Args:
        cells: The results of every cell.
        shared: Where common parts go.
    """
    found = {}
    for results in cells:
        fits = [results.fit] if results.fit else []
        for record in (*fits, *results.evaluations, *results.latencies, *results.failures):
            if record.record_id not in found:
                found[record.record_id] = shared.shorten(_shown(record.model_dump(mode="json")))
                if isinstance(record, FitRecord):
                    found[record.record_id]["title"] = str(record.cell)
    return found


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    """A record's document without what is empty, and with a few of its epochs."""
    kept = {key: value for key, value in document.items() if value not in (None, {}, [], "")}
    history = kept.get("history", [])
    if len(history) > EPOCHS_SHOWN:
        step = (len(history) - 1) / (EPOCHS_SHOWN - 1)
        kept["history"] = [history[round(number * step)] for number in range(EPOCHS_SHOWN)]
        kept["epochs recorded"] = len(history)
    return kept
