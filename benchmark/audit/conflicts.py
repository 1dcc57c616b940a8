"""Where two stores say otherwise of the same cell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from hashbench.core.cell import Determinism
from hashbench.core.record import EvaluationRecord, FitRecord, Status
from hashbench.judge.bit_equality import reasons_for_unequal_codes
from hashbench.store.codes import NAME as CODES
from hashbench.store.store import MARKER, Store

_ROUNDING = 1e-6  # of cosines, from one processor to the next; of codes there is none


def other_codes(there: Store, here: Store, fit_id: str) -> Iterator[str]:
    """Fits that had to give equal codes, and did not, a line each.

    Raises:
        DamagedStoreError: If a record is damaged.
    """
    for new, old, excuses in _differing(there, here, fit_id):
        if not excuses:
            yield (
                f"fit {new.record_id} has other codes than {old.record_id} of {here.root}, "
                f"made by the same code on a like machine"
            )


def excused_codes(there: Store, here: Store, fit_id: str) -> Iterator[str]:
    """Strict fits on one class of device with other codes, and what excuses them, a line each.

    Raises:
        DamagedStoreError: If a record is damaged.
    """
    for new, old, excuses in _differing(there, here, fit_id):
        strict = new.cell.determinism is Determinism.STRICT
        if excuses and strict and new.environment.device.kind == old.environment.device.kind:
            yield (
                f"fit {new.record_id} of {there.root} has other codes than {old.record_id} of "
                f"{here.root} ({excuses[0]})"
            )


def other_values(there: Store, here: Store, fit_id: str) -> Iterator[str]:
    """Metrics of one fit that have two values, a line each.

    Raises:
        DamagedStoreError: If a record is damaged.
    """
    known = {key: (value, record) for key, value, record in _values(here, fit_id)}
    for key, value, record in _values(there, fit_id):
        if key in known and not math.isclose(known[key][0], value, abs_tol=_ROUNDING):
            yield f"{record} and {known[key][1]} of {here.root} differ in {key[1]}"


def order_of(name: str) -> tuple[int, str]:
    """A key that sorts files of a store so that each comes after what it speaks of.

    Args:
        name: ``FIT_ID/FILE``, or the marker's name.
    """
    file = name.rpartition("/")[2]
    if name == MARKER:
        return 0, name
    if file.endswith(".safetensors"):
        return 1, name
    return (2 if file.startswith("fit-") else 3), name


def _differing(
    there: Store, here: Store, fit_id: str
) -> Iterator[tuple[FitRecord, FitRecord, list[str]]]:
    """Pairs of fits with different codes, and why they may."""
    for new, old in product(_fits(there, fit_id), _fits(here, fit_id)):
        if new.artifacts[CODES].sha256 != old.artifacts[CODES].sha256:
            yield new, old, reasons_for_unequal_codes(old, new)


def _fits(store: Store, fit_id: str) -> list[FitRecord]:
    records = (each for each in store.records(fit_id) if isinstance(each, FitRecord))
    return [each for each in records if each.status is Status.OK and CODES in each.artifacts]


def _values(store: Store, fit_id: str) -> Iterator[tuple[tuple[str, str], float, str]]:
    for record in store.records(fit_id):
        if isinstance(record, EvaluationRecord):
            for name, entry in record.metrics.items():
                yield (record.fit_record, name), entry.value, f"evaluation {record.record_id}"
