"""Slips that would otherwise pass for an answer: each is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.audit.verify import verify_store
from hashbench.store.store import Store

Refused = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.mark.parametrize("update", [(), ("--update",)])
def test_a_store_is_not_gated_against_itself(
    store: Store, refused: Refused, update: tuple[str, ...]
) -> None:
    other_name = store.root / ".." / "store"
    line = refused("gate", other_name, "--store", store.root, *update)
    assert line.endswith("is the baseline and --store too; name the store of the new run")


def test_a_file_that_is_no_record_is_told_by_the_key_it_lacks(
    store: Store, refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_text("{}")
    line = refused("reproduce", tmp_path / "other.json", "--store", store.root)
    assert "no record this version can read (kind: " in line


def test_what_a_search_worker_and_an_index_leave_in_a_store_is_no_unfinished_cell(
    store: Store,
) -> None:
    (store.root / ".work").mkdir()
    for name in ("serve.json", "index"):
        (store.root / ".work" / name).write_text("{}")
    audit = verify_store(store.root)
    assert (audit.notes, audit.problems) == ([], [])
