"""Which settings make a cell another one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from hashbench.core.cell import BackboneMode, Cell, Component, DataChoice, Determinism, Precision


def _changed(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, Precision):
        return Precision.BF16
    if isinstance(value, Determinism):
        return Determinism.FAST
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, dict):
        return {**value, "another": 1}
    return (*value, 0.9) if isinstance(value, tuple) else value + 1


def _every_change(value: Any, path: str = "cell") -> Iterator[tuple[str, Any]]:
    """The dataclass with one leaf changed, once for each leaf."""
    for field in dataclasses.fields(value):
        inner, where = getattr(value, field.name), f"{path}.{field.name}"
        if dataclasses.is_dataclass(inner):
            for name, changed in _every_change(inner, where):
                yield name, dataclasses.replace(value, **{field.name: changed})
        elif inner is not None:
            yield where, dataclasses.replace(value, **{field.name: _changed(inner)})


def test_every_single_setting_changes_the_id(cell: Cell) -> None:
    ids = {name: changed.fit_id for name, changed in _every_change(cell)}
    settings = {name: fit_id for name, fit_id in ids.items() if not name.endswith(".preset")}
    assert len(settings) > 35
    assert len({*settings.values(), cell.fit_id}) == len(settings) + 1


def test_where_parameters_came_from_does_not_change_the_id(cell: Cell) -> None:
    ids = {name: changed.fit_id for name, changed in _every_change(cell)}
    presets = {fit_id for name, fit_id in ids.items() if name.endswith(".preset")}
    assert presets == {cell.fit_id}


def test_the_id_is_the_start_of_the_sha256_of_the_sorted_json() -> None:
    cell = Cell(DataChoice("toy", 1, "toy@1", "0" * 64, 8), 16, 0, method=Component("lsh", 1))
    settings = dataclasses.asdict(cell)
    del settings["method"]["preset"]
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    assert cell.fit_id == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_order_of_parameters_does_not_change_the_id() -> None:
    data = DataChoice("toy", 1, "toy@1", "0" * 64, 8)
    one = Cell(data, 16, 0, method=Component("lsh", 1, {"a": 1, "b": 2}))
    other = Cell(data, 16, 0, method=Component("lsh", 1, {"b": 2, "a": 1}))
    assert one.fit_id == other.fit_id


def test_settings_that_came_after_fits_were_recorded_are_in_the_id_only_if_they_are_used(
    cell: Cell,
) -> None:
    assert cell.train is not None
    later = {"channels_last": False, "compile": False, "fused": False, "accumulate": 1}
    train = dataclasses.replace(cell.train, backbone=BackboneMode.FROZEN, **later)
    plain = dataclasses.replace(cell, train=train)
    settings = dataclasses.asdict(plain)
    for name in later:
        del settings["train"][name]
    for part in ("backbone", "loss", "method"):
        if settings[part]:
            del settings[part]["preset"]
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))

    assert plain.fit_id == hashlib.sha256(text.encode()).hexdigest()[:16]
    used = {"channels_last": True, "compile": True, "fused": True, "accumulate": 2}
    for name, value in used.items():
        changed = dataclasses.replace(train, **{name: value})
        assert dataclasses.replace(plain, train=changed).fit_id != plain.fit_id
