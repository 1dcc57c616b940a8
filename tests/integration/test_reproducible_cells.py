"""A cell's codes follow from the cell alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from hashbench.core.cell import Cell, Component, Head, Precision, Subset, Validation
from hashbench.core.record import Status
from hashbench.training import utilisation

METRIC = "map@all/div=hits/ties=expected/empty=zero"


def plain(cell: Cell, **changes: Any) -> Cell:
    assert cell.train is not None
    train = replace(cell.train, prepass=None)
    loss = Component("dsh", 1)
    return replace(cell, **{"train": train, "loss": loss, **changes})


def validated(cell: Cell) -> Cell:
    base = plain(cell)
    assert base.train is not None
    return replace(base, train=replace(base.train, validation=Validation(0.2, seed=1)))


def test_two_runs_of_a_cell_give_equal_codes_whatever_ran_before_or_beside(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    first, second = plain(cell), plain(cell, seed=4)
    forwards, backwards = bench("forwards"), bench("backwards")

    one, two = forwards.run(first), forwards.run(second)
    torch.manual_seed(99)
    other_two, other_one = backwards.run(second), backwards.run(first)

    assert forwards.code_bytes(one) == backwards.code_bytes(other_one)
    assert forwards.code_bytes(two) == backwards.code_bytes(other_two)
    assert forwards.code_bytes(one) != forwards.code_bytes(two)
    assert one.history == other_one.history


def test_validation_is_cut_from_the_training_set_alone(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    whole, cut = bench("whole").run(plain(cell)), bench("cut").run(validated(cell))

    assert whole.data is not None and cut.data is not None
    assert whole.data.sizes["trained on"] == 100
    assert cut.data.sizes["trained on"] == 80
    for role in ("query", "database", "train"):
        assert cut.data.sizes[role] == whole.data.sizes[role]
        assert cut.data.checksums[role] == whole.data.checksums[role]
    assert cut.budget is not None
    assert cut.budget.images_seen == 4 * 80


def test_validating_adds_to_the_history_and_changes_no_code(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    settings = {"validation_metrics": (METRIC,)}
    without, with_it = bench("never"), bench("every")
    never = without.run(validated(cell), **settings)
    every = with_it.run(validated(cell), validate_every=2, **settings)

    key = f"validation/{METRIC}"
    assert [key in entry for entry in never.history] == [False] * 4
    assert [key in entry for entry in every.history] == [False, True, False, True]
    assert 0 < every.history[1][key] <= 1
    assert with_it.code_bytes(every) == without.code_bytes(never)


def test_bf16_trains_and_is_another_cell(
    bench: Callable[[str], Any], cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where bfloat16 is emulated, a large product takes seconds.
    monkeypatch.setitem(utilisation._SIDE, "cpu", 128)
    exact, rough = plain(cell), plain(cell, precision=Precision.BF16)
    workplace = bench("store")

    exact_fit, rough_fit = workplace.run(exact), workplace.run(rough)

    assert rough_fit.status is Status.OK
    assert rough.fit_id != exact.fit_id
    assert workplace.code_bytes(rough_fit) != workplace.code_bytes(exact_fit)


@pytest.mark.parametrize("method", ["itq", "lsh"])
def test_a_shallow_cell_leaves_a_whole_record(
    bench: Callable[[str], Any], cell: Cell, method: str
) -> None:
    shallow = Cell(cell.data, bits=8, seed=0, method=Component(method, 1))

    fit = bench("store").run(shallow)

    assert fit.status is Status.OK
    assert {"load", "features", "fit", "encode query", "encode database"} <= set(fit.phases)
    assert fit.environment.threads == torch.get_num_threads()


def test_itq_with_more_bits_than_features_fails_with_its_cause(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    greedy = Cell(cell.data, bits=128, seed=0, method=Component("itq", 1))

    fit = bench("store").run(greedy)

    assert fit.status is Status.FAILED
    assert fit.error is not None
    assert "128" in fit.error.message and "64" in fit.error.message


def test_a_batch_of_a_single_image_is_left_out(bench: Callable[[str], Any], cell: Cell) -> None:
    subset = Subset(train=33, query=20, database=200)
    odd = plain(cell, head=Head(), data=replace(cell.data, subset=subset))

    fit = bench("store").run(odd)

    assert fit.budget is not None
    assert fit.budget.images_seen == 4 * 32
