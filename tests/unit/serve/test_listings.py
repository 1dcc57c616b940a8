"""Datasets and runs, asked for by the client."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from hashbench.serve.client import AnswerError, Client
from hashbench.store.store import Store

Served = Callable[..., AbstractContextManager[Client]]


def test_every_endpoint_that_the_pages_stand_on_is_listed(client: Client) -> None:
    paths = {each["path"] for each in client.get("")["endpoints"]}
    assert {"/v1/datasets", "/v1/runs", "/v1/methods/{word}/search"} <= paths


def test_datasets_are_listed_with_their_protocols(client: Client) -> None:
    said = client.get("datasets")
    assert said["problems"] == []
    by_name = {each["name"]: each for each in said["datasets"]}
    digits = by_name["digits"]
    assert (digits["here"], digits["imported"], digits["problem"]) == (True, False, None)
    sizes = {each["name"]: each["sizes"] for each in digits["protocols"]}
    assert sizes["digits@1"]["query"] == 200
    assert not any("*" in name for name in by_name)


def test_runs_are_listed_with_what_was_measured(client: Client, kept: Any) -> None:
    said = client.get("runs")
    assert (said["total"], said["problems"]) == (4, [])
    by_id = {run["id"]: run for run in said["runs"]}
    assert set(by_id) == {fit.fit_id for fit in (kept.lsh, kept.itq, kept.cosine, kept.other)}
    itq = by_id[kept.itq.fit_id]
    assert (itq["method"], itq["bits"], itq["seed"], itq["status"]) == (
        "itq on pixels",
        12,
        0,
        "ok",
    )
    assert (itq["record"], itq["searchable"]) == (kept.itq.record_id, True)
    (value,) = itq["metrics"].values()
    assert 0.2 < value < 1
    (known,) = (m for m in client.get("methods")["methods"] if m["id"] == kept.itq.fit_id)
    assert known["metrics"] == itq["metrics"]


def test_runs_are_listed_a_part_at_a_time(client: Client) -> None:
    ids = [run["id"] for run in client.get("runs")["runs"]]
    assert ids == sorted(ids)
    assert [run["id"] for run in client.get("runs", start=1, count=2)["runs"]] == ids[1:3]
    assert client.get("runs", start=9)["runs"] == []
    with pytest.raises(AnswerError, match="count: expected a whole number from 1 to 1000"):
        client.get("runs", count=0)
    with pytest.raises(AnswerError, match="unknown parameter 'page'"):
        client.get("runs", page=1)


def test_a_run_without_its_model_is_listed_and_a_damaged_one_is_told(
    kept: Any, tmp_path: Path, served: Served
) -> None:
    store = Store.create(tmp_path / "own")
    for fit in (kept.lsh, kept.itq):
        shutil.copytree(kept.store.root / fit.fit_id, store.root / fit.fit_id)
    (store.root / kept.lsh.fit_id / kept.lsh.artifacts["model"].file).unlink()
    record = next((store.root / kept.itq.fit_id).glob("*.json"))
    record.write_text("{}")
    with served(store) as client:
        said = client.get("runs")
    assert [(run["id"], run["searchable"]) for run in said["runs"]] == [(kept.lsh.fit_id, False)]
    assert len(said["problems"]) == 1
    assert kept.itq.fit_id in said["problems"][0]


def test_an_empty_store_has_no_runs(tmp_path: Path, served: Served) -> None:
    with served(Store.create(tmp_path / "empty")) as client:
        assert client.get("runs") == {"runs": [], "start": 0, "total": 0, "problems": []}
        assert client.get("methods")["methods"] == []
