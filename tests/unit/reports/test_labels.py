"""Labels of methods: short where they can be, different where methods are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.cell import Component
from hashbench.reports.labels import method_labels
from hashbench.store.catalogue import CellResults

Made = Callable[..., CellResults]


def labels(*cells: CellResults) -> set[str]:
    return set(method_labels([results.fit for results in cells if results.fit]).values())


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        (
            {"loss": Component("hsc", 1, {"temperature": 0.5})},
            {"(loss.temperature=0.2)", "(loss.temperature=0.5)"},
        ),
        (
            {"loss": Component("hsc", 2, {"temperature": 0.2})},
            {"(loss.version=1)", "(loss.version=2)"},
        ),
        (
            {"train": {"recipe": "csq", "lr": 0.1, "epochs": 90}},
            {"(train.recipe=ours)", "(train.recipe=csq)"},
        ),
        (
            {"loss": Component("hsc", 1, {"lambda_c": 0, "temperature": 0.5}, preset="contrast")},
            {"(loss.preset=None)", "(loss.preset=contrast)"},
        ),
        (
            {"data": {"protocol_sha256": "cd" * 32}},
            {"(protocol_sha256=aaaaaaaa)", "(protocol_sha256=cdcdcdcd)"},
        ),
    ],
)
def test_two_variants_of_a_method_get_labels_that_tell_them_apart(
    made: Made, changes: dict[str, Any], ends: set[str]
) -> None:
    first = made(params={"temperature": 0.2})
    assert first.fit is not None
    cell = first.fit.cell
    changed = {
        key: replace(getattr(cell, key), **value) if isinstance(value, dict) else value
        for key, value in changes.items()
    }
    fit = first.fit.model_copy(update={"record_id": "other", "cell": replace(cell, **changed)})

    found = labels(first, replace(first, fit=fit))

    assert {label.removeprefix("alexnet + hsc ") for label in found} == ends


def test_settings_that_differ_between_protocols_do_not_lengthen_labels(made: Made) -> None:
    first, other = made(), made(protocol="toy@2")
    assert other.fit is not None
    cell = replace(other.fit.cell, data=replace(other.fit.cell.data, image_size=16))
    elsewhere = replace(other, fit=other.fit.model_copy(update={"cell": cell}))

    assert labels(first, elsewhere) == {"alexnet + hsc"}


def test_code_length_and_seed_are_no_part_of_a_method(made: Made) -> None:
    assert labels(made(), made(bits=64), made(seed=3)) == {"alexnet + hsc"}


def test_a_parameter_that_a_record_leaves_out_has_its_default(made: Made) -> None:
    assert labels(made(), made(params={"late": 5})) == {
        "alexnet + hsc (loss.late=default)",
        "alexnet + hsc (loss.late=5)",
    }
