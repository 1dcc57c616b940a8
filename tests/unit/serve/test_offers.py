"""A store that changes is followed; what is damaged is told and stops nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.record import FitRecord
from hashbench.serve.client import AnswerError, Client
from hashbench.serve.offers import Offer, Offers
from hashbench.serve.refusal import Refusal
from hashbench.store.store import Store

Served = Callable[..., AbstractContextManager[Client]]


def ids(client: Client) -> set[str]:
    return {method["id"] for method in client.get("methods")["methods"]}


@pytest.fixture
def copy(kept: Any, tmp_path: Path) -> Store:
    """Return a store of a test's own with two of the fits."""
    store = Store.create(tmp_path / "copy")
    for fit in (kept.lsh, kept.itq):
        shutil.copytree(kept.store.root / fit.fit_id, store.root / fit.fit_id)
    return store


def test_a_fit_that_comes_later_is_found_without_a_restart(
    copy: Store, kept: Any, served: Served
) -> None:
    with served(copy) as client:
        assert ids(client) == {kept.lsh.fit_id, kept.itq.fit_id}
        shutil.copytree(kept.store.root / kept.cosine.fit_id, copy.root / kept.cosine.fit_id)
        assert kept.cosine.fit_id in ids(client)
        assert client.get(f"methods/{kept.cosine.fit_id}/search", query=0, k=1)["results"]


def test_a_fit_that_keeps_its_model_later_is_found(
    tmp_path: Path, served: Served, fit_cell: Callable[..., FitRecord]
) -> None:
    store = Store.create(tmp_path / "own")
    with served(store) as client:
        without = fit_cell(store, "lsh", keep_model=False)
        assert ids(client) == set()
        with pytest.raises(AnswerError, match="keep_model: true"):
            client.get(f"methods/{without.fit_id}/search", query=0)
        fit_cell(store, "lsh")
        assert ids(client) == {without.fit_id}


def test_a_fit_that_is_removed_is_gone_from_memory_too(
    copy: Store, kept: Any, served: Served
) -> None:
    with served(copy) as client:
        client.get(f"methods/{kept.lsh.fit_id}/search", query=0, k=1)
        assert client.get("health")["loaded"] == [kept.lsh.record_id]
        shutil.rmtree(copy.root / kept.lsh.fit_id)
        assert ids(client) == {kept.itq.fit_id}
        assert client.get("health")["loaded"] == []
        with pytest.raises(AnswerError) as refused:
            client.get(f"methods/{kept.lsh.fit_id}/search", query=0, k=1)
        assert refused.value.status == 404


def test_a_damaged_record_is_told_and_the_others_are_served(
    copy: Store, kept: Any, served: Served
) -> None:
    (path,) = (copy.root / kept.lsh.fit_id).glob("fit-*.json")
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1', 1))
    with served(copy) as client:
        said = client.get("methods")
        assert [method["id"] for method in said["methods"]] == [kept.itq.fit_id]
        (problem,) = said["problems"]
        assert kept.lsh.record_id in problem


def test_a_damaged_model_is_the_servers_error_and_the_others_are_served(
    copy: Store, kept: Any, served: Served
) -> None:
    path = copy.root / kept.lsh.fit_id / kept.lsh.artifacts["model"].file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with served(copy) as client:
        with pytest.raises(AnswerError, match="SHA-256") as refused:
            client.get(f"methods/{kept.lsh.fit_id}/search", query=0)
        assert refused.value.status == 500
        assert client.get(f"methods/{kept.itq.fit_id}/search", query=0)["results"]


def test_a_fit_whose_model_file_was_left_out_is_not_offered(
    copy: Store, kept: Any, served: Served
) -> None:
    (copy.root / kept.lsh.fit_id / kept.lsh.artifacts["model"].file).unlink()
    with served(copy) as client:
        assert ids(client) == {kept.itq.fit_id}


def test_no_more_methods_stay_in_memory_than_were_asked_for(
    copy: Store, kept: Any, served: Served
) -> None:
    with served(copy, most=1) as client:
        for fit in (kept.lsh, kept.itq, kept.lsh):
            assert client.get(f"methods/{fit.fit_id}/search", query=0, k=1)["results"]
            assert client.get("health")["loaded"] == [fit.record_id]


def test_an_id_that_may_be_two_is_refused(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    named = [
        Offer(fit.model_copy(update={"fit_id": f"abc{end * 13}", "record_id": end * 16}), {})
        for fit, end in ((kept.lsh, "1"), (kept.itq, "2"))
    ]
    offers = Offers(kept.store)
    monkeypatch.setattr(offers, "all", lambda: named)
    assert offers.find("abc1").fit.cell == kept.lsh.cell
    assert offers.find("22").fit.cell == kept.itq.cell
    with pytest.raises(Refusal, match="write more of it") as refused:
        offers.find("abc")
    assert refused.value.status == 409


def test_a_store_that_is_gone_is_told(copy: Store, served: Served) -> None:
    with served(copy) as client:
        shutil.rmtree(copy.root)
        with pytest.raises(AnswerError, match="cannot read"):
            client.get("methods")
