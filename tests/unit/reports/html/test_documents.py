"""Records inside the page: nothing that many share is written twice, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hashbench.reports.html.decision_data import EPOCHS_SHOWN, SHARED, Shared, documents
from hashbench.store.catalogue import CellResults


def whole(value: Any, shared: list[Any]) -> Any:
    if isinstance(value, list):
        return [whole(each, shared) for each in value]
    if not isinstance(value, dict):
        return value
    if SHARED in value:
        return whole(shared[value[SHARED]], shared)
    return {key: whole(each, shared) for key, each in value.items()}


def test_a_record_comes_back_whole_but_for_rounding_and_what_is_empty(
    make_results: Callable[..., CellResults],
) -> None:
    results = make_results("hsc", value=0.5, seconds=2.0)
    shared = Shared()
    found = documents([results], shared)
    assert results.fit is not None
    expected = results.fit.model_dump(mode="json")
    back = whole(found[results.fit.record_id], shared.entries)
    assert back.pop("title") == str(results.fit.cell)
    assert back["cell"] == expected["cell"]
    assert back["environment"] == expected["environment"]
    assert {key for key in expected if expected[key] not in (None, {}, [], "")} == set(back)


def test_what_all_records_share_is_written_once(make_results: Callable[..., CellResults]) -> None:
    cells = [make_results("hsc", value=0.5, seed=seed) for seed in range(20)]
    shared = Shared()
    found = documents(cells, shared)
    text = json.dumps([found, shared.entries])
    assert len(found) == 60
    assert text.count("abacus") == len({"cpu", "device"})


def test_long_histories_keep_their_first_and_last_epoch(
    make_results: Callable[..., CellResults],
) -> None:
    history = [{"epoch": n, "total": 1.0} for n in range(1, 101)]
    results = make_results("hsc", value=0.5, history=history)
    shared = Shared()
    assert results.fit is not None
    back = whole(documents([results], shared)[results.fit.record_id], shared.entries)
    epochs = [entry["epoch"] for entry in back["history"]]
    assert len(epochs) == EPOCHS_SHOWN
    assert (epochs[0], epochs[-1], back["epochs recorded"]) == (1, 100, 100)
