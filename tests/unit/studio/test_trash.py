"""Deleting moves a fit to the trash, never under a run's feet, and can be undone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.store.lease import look, take
from hashbench.store.store import Store
from hashbench.studio.context import StudioContext
from hashbench.studio.tabs.run_facts import fit_facts, record_rows
from hashbench.studio.tabs.run_rows import RunRows
from hashbench.studio.tabs.trash import bring_back, throw_away, thrown_away

Writer = Callable[..., Any]


@pytest.fixture
def store(context: StudioContext) -> Store:
    return Store(context.store)


@pytest.fixture
def fit_id(store: Store, write_cell: Writer, cell: Cell) -> str:
    write_cell(store, cell, {"map@all/div=hits/ties=expected/empty=zero": [0.25, 0.75]})
    return cell.fit_id


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_fit_is_gone_from_the_store_and_whole_in_the_trash(
    store: Store, context: StudioContext, fit_id: str
) -> None:
    before = files(store.root / fit_id)
    target = throw_away(store, context.trash, fit_id)

    assert store.fit_ids() == []
    assert files(target) == before
    assert thrown_away(context.trash) == [target.name]


def test_it_can_be_brought_back(store: Store, context: StudioContext, fit_id: str) -> None:
    before = files(store.root / fit_id)
    target = throw_away(store, context.trash, fit_id)

    assert bring_back(store, context.trash, target.name) == fit_id
    assert files(store.root / fit_id) == before
    assert thrown_away(context.trash) == []


def test_a_fit_that_a_run_works_on_is_kept(
    store: Store, context: StudioContext, fit_id: str
) -> None:
    lease = take(store.lease_folder(fit_id), above=0)
    assert lease is not None
    with pytest.raises(ConfigError, match=f"process {os.getpid()} on .* works on it"):
        throw_away(store, context.trash, fit_id)
    lease.release()
    throw_away(store, context.trash, fit_id)

    assert look(store.lease_folder(fit_id)).free


def test_the_lease_of_a_dead_run_of_this_machine_holds_nothing(
    store: Store, context: StudioContext, fit_id: str
) -> None:
    take(store.lease_folder(fit_id), above=0)
    (file,) = store.lease_folder(fit_id).iterdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    about, _, beat = file.read_text().partition("\n")
    file.write_text(json.dumps(json.loads(about) | {"pid": gone.pid}) + "\n" + beat)

    assert throw_away(store, context.trash, fit_id).is_dir()


def test_a_fit_that_was_made_again_is_not_written_over(
    store: Store, context: StudioContext, fit_id: str, write_cell: Writer, cell: Cell
) -> None:
    target = throw_away(store, context.trash, fit_id)
    write_cell(store, cell, {"map@all/div=hits/ties=expected/empty=zero": [1.0]})

    with pytest.raises(ConfigError, match="was made again meanwhile"):
        bring_back(store, context.trash, target.name)
    assert target.is_dir()


@pytest.mark.parametrize("name", ["", "..", "../data", ".work", "0" * 16, "0" * 15 + "/"])
def test_only_fits_of_the_store_are_moved(store: Store, context: StudioContext, name: str) -> None:
    with pytest.raises(ConfigError, match="there is none"):
        throw_away(store, context.trash, name)
    with pytest.raises(ConfigError, match="there is none"):
        bring_back(store, context.trash, name)
    assert context.data_root.is_dir()


def test_rows_follow_the_store(
    store: Store, context: StudioContext, fit_id: str, write_cell: Writer, cell: Cell
) -> None:
    rows = RunRows(store)
    (first,) = rows.read()
    other = replace(cell, seed=cell.seed + 1)
    write_cell(store, other, {"map@all/div=hits/ties=expected/empty=zero": [0.5]})
    both = {row.fit_id for row in rows.read()}
    throw_away(store, context.trash, other.fit_id)

    assert first.plain()["metrics"] == {"map@all/div=hits/ties=expected/empty=zero": 0.5}
    assert (first.status, first.bits, first.seed) == ("ok", cell.bits_label, cell.seed)
    assert both == {fit_id, other.fit_id}
    assert [row.fit_id for row in rows.read()] == [fit_id]


def test_a_damaged_fit_is_a_row_that_says_so(store: Store, fit_id: str) -> None:
    for path in (store.root / fit_id).glob("fit-*.json"):
        path.write_text("{}")
    (row,) = RunRows(store).read()

    assert row.status == "damaged"
    assert "move" in row.message


def test_facts_lead_to_environment_commit_and_records(store: Store, fit_id: str) -> None:
    fit = next(record for record in store.records(fit_id) if record.kind == "fit")
    facts = dict(fit_facts(fit))

    assert facts["fit"] == fit_id
    assert facts["commit"].startswith(fit.environment.commit or "not known")
    assert facts["device"].startswith(fit.environment.device.kind)
    assert {row[0] for row in record_rows(store, fit_id)} == {"fit", "evaluation"}
