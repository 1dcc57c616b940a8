"""Why two records do not say the same, the most suspicious first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.record import FitRecord
from hashbench.judge.reproduce.difference import Difference, explain_difference, rank
from hashbench.store.lookup import find_record, ids_in
from hashbench.store.store import Store

Forge = Callable[[Path, Callable[[dict[str, Any]], object]], Path]
GROUPS = ["settings", "data", "code", "versions", "device", "results", "cost", "bookkeeping"]


@pytest.fixture
def apart(
    store: Store, another_fit: Callable[..., FitRecord], forged: Forge, tmp_path: Path
) -> Callable[[Callable[[dict[str, Any]], object]], list[Difference]]:
    """Return a comparison of a fit and the same one, edited, in another store."""

    def compare(edit: Callable[[dict[str, Any]], object]) -> list[Difference]:
        one, other = Store.create(tmp_path / "one"), Store.create(tmp_path / "other")
        fits = [another_fit(each) for each in (one, other)]
        (path,) = (other.root / fits[1].fit_id).glob("fit-*.json")
        new = forged(path, edit)
        old = one.root / fits[0].fit_id / f"fit-{fits[0].record_id}.json"
        return explain_difference(find_record(str(old), tmp_path), find_record(str(new), tmp_path))

    return compare


def test_a_record_does_not_differ_from_itself(store: Store, fit: FitRecord) -> None:
    found = find_record(fit.record_id, store.root)
    assert explain_difference(found, found) == []


def test_every_field_that_differs_is_named_with_both_values_and_in_order(
    apart: Callable[[Callable[[dict[str, Any]], object]], list[Difference]],
) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["phases"] = {"train": 2.0}
        document["environment"]["threads"] = 2
        document["environment"]["libraries"]["torch"] = "2.12.0"
        document["sources"]["methods/lsh"] = "e" * 64
        document["data"]["checksums"]["pixels"] = "0" * 64
        document["cell"]["precision"] = "bf16"
        document["history"][1]["total"] = 0.125

    found = apart(edit)
    assert [(each.group, each.field, each.first, each.second) for each in found][1:] == [
        ("data", "data.checksums.pixels", found[1].first, "0" * 64),
        ("code", "sources.methods/lsh", "d" * 64, "e" * 64),
        ("versions", "environment.libraries.torch", "2.11.0", "2.12.0"),
        ("device", "environment.threads", 1, 2),
        ("results", "history[epoch 2].total", 0.25, 0.125),
        ("cost", "phases.train", None, 2.0),
        ("bookkeeping", "record_id", found[-1].first, found[-1].second),
    ]
    assert (found[0].field, found[0].first, found[0].second) == ("cell.precision", "fp32", "bf16")
    assert all(each.why for each in found)


def test_two_cells_of_one_store_differ_in_seed_before_their_results(store: Store) -> None:
    one, other = (find_record(str(store.root / each), store.root) for each in store.fit_ids())
    found = explain_difference(one, other)
    assert found[0].field == "cell.seed"
    assert [GROUPS.index(each.group) for each in found] == sorted(
        GROUPS.index(each.group) for each in found
    )
    fields = {each.field for each in found}
    assert "metrics.map@all/div=hits/ties=expected/empty=zero.value" in fields
    assert "artifacts.codes.sha256" in fields


def test_histories_of_unequal_length_are_one_line(
    apart: Callable[[Callable[[dict[str, Any]], object]], list[Difference]],
) -> None:
    found = apart(lambda d: d["history"].append({"epoch": 3, "total": 0.1}))
    assert ("history.epochs", 2, 3) in [(each.field, each.first, each.second) for each in found]


@pytest.mark.parametrize(
    ("field", "group"),
    [
        ("cell.data.protocol_sha256", "settings"),
        ("data.sizes.train", "data"),
        ("codes.query.distinct", "results"),
        ("environment.cpu_count", "device"),
        ("anything.else", "bookkeeping"),
    ],
)
def test_a_field_belongs_to_a_group_by_the_start_of_its_name(field: str, group: str) -> None:
    assert rank(field)[1].group == group


def test_a_record_is_found_by_file_folder_and_start_of_an_id(store: Store, fit: FitRecord) -> None:
    file = store.root / fit.fit_id / f"fit-{fit.record_id}.json"
    for word in (str(file), str(file.parent), fit.fit_id, fit.fit_id[:8], fit.record_id):
        found = find_record(word, store.root)
        assert (found.fit, len(found.evaluations), len(found.latencies)) == (fit, 1, 1)


def test_an_evaluation_is_found_with_its_fit_and_alone_of_its_kind(
    store: Store, fit: FitRecord, only: Callable[[Store, str], Path]
) -> None:
    path = only(store, "evaluation-*.json")
    found = find_record(path.stem.removeprefix("evaluation-"), store.root)
    assert (found.record, found.fit) == (found.evaluations[0], fit)
    assert found.latencies == ()


@pytest.mark.parametrize("word", ["nothing", "../x", "0123", "ffffffffffffffff", "*"])
def test_what_names_no_record_is_one_clear_line(store: Store, word: str) -> None:
    with pytest.raises(ConfigError, match=r"^record ") as caught:
        find_record(word, store.root)
    assert len(str(caught.value).splitlines()) == 1


def test_a_fits_record_that_lies_by_itself_is_read_and_its_seal_checked(
    store: Store, fit: FitRecord, tmp_path: Path, only: Callable[[Store, str], Path]
) -> None:
    alone = tmp_path / "mailed.json"
    alone.write_bytes(only(store, "fit-*.json").read_bytes())
    found = find_record(str(alone), store.root)
    assert (found.fit, found.store) == (fit, None)
    alone.write_text(alone.read_text().replace('"threads": 1', '"threads": 2'))
    with pytest.raises(DamagedStoreError, match="was changed after it was written"):
        find_record(str(alone), store.root)
    alone.write_bytes(only(store, "evaluation-*.json").read_bytes())
    with pytest.raises(ConfigError, match="it is outside a store"):
        find_record(str(alone), store.root)


def test_ids_are_read_off_any_text_once_each() -> None:
    text = "| a | 0123456789abcdef fedcba9876543210 | <td>0123456789abcdef</td> 0123456789abcdef0"
    assert ids_in(text) == ["0123456789abcdef", "fedcba9876543210"]
