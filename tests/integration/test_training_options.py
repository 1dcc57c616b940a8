"""Options of the training pipeline in whole cells: what they leave in records and codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hashbench.core.cell import BackboneMode, Cell, Component
from hashbench.core.record import Status


def plain(cell: Cell, **options: Any) -> Cell:
    assert cell.train is not None
    train = replace(cell.train, prepass=None, **options)
    return replace(cell, train=train, loss=Component("dsh", 1))


def test_a_record_says_how_fast_the_steps_were_and_what_they_were_made_of(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    fit = bench("store").run(plain(cell))

    assert fit.speed is not None and fit.budget is not None
    parts = fit.speed.step_seconds
    assert parts.keys() == {"data", "forward", "backward", "step", "loss state"}
    assert all(seconds > 0 for seconds in parts.values())
    assert sum(parts.values()) <= fit.phases["train"]
    images = fit.budget.images_seen
    assert fit.speed.images_per_second == pytest.approx(images / fit.phases["train"])
    assert fit.speed.flops_per_image > 0
    assert 0 < fit.speed.utilisation < 1


def test_a_head_on_cached_features_counts_its_own_operations_only(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    tuned = bench("tuned").run(plain(cell))
    frozen = bench("frozen").run(plain(cell, backbone=BackboneMode.FROZEN, augmentation="none"))

    assert frozen.speed is not None and tuned.speed is not None
    assert 0 < frozen.speed.flops_per_image < tuned.speed.flops_per_image


def test_a_cell_with_every_option_trains_encodes_and_repeats(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    options = plain(cell, channels_last=True, fused=True, accumulate=2)
    one, other = bench("one"), bench("other")

    first, second = one.run(options), other.run(options)

    assert first.status is Status.OK
    assert options.fit_id != plain(cell).fit_id
    assert one.code_bytes(first) == other.code_bytes(second)
