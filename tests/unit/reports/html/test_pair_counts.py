"""Counts of distances on four items, worked by hand.

Distances: the first query is 0, 1, 3, 2 from the items and shares a label with items 0, 1, 3; the
second is 3, 2, 0, 1 from them and shares one with items 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DamagedStoreError
from hashbench.reports.html.pair_counts import PairCounts, count_pairs
from hashbench.store.catalogue import CellResults
from hashbench.store.codes import EncodedSplit
from hashbench.store.store import Store


@pytest.fixture
def stored(
    make_results: Callable[..., CellResults],
    store_codes: Callable[..., CellResults],
    tiny_split: EncodedSplit,
    tmp_path: Path,
) -> tuple[Store, CellResults]:
    store = Store.create(tmp_path / "store")
    results = store_codes(store, make_results("hsc", value=0.5), tiny_split)
    assert results.fit is not None
    fit = results.fit.model_copy(update={"cell": replace(results.fit.cell, bits=3)})
    return store, replace(results, fit=fit)


@pytest.fixture
def counts(stored: tuple[Store, CellResults]) -> PairCounts:
    store, results = stored
    assert results.fit is not None
    found = count_pairs(store, results.fit)
    assert found is not None
    return found


def test_pairs_by_distance(counts: PairCounts) -> None:
    assert counts.similar.tolist() == [2, 1, 2, 0]
    assert counts.dissimilar.tolist() == [0, 1, 0, 2]


def test_precision_among_the_nearest(counts: PairCounts) -> None:
    assert counts.cutoffs.tolist() == [1, 2, 3, 4]
    assert counts.precision == pytest.approx([1, 3 / 4, (1 + 2 / 3) / 2, (3 / 4 + 1 / 2) / 2])


def test_recall_and_precision_at_every_radius(counts: PairCounts) -> None:
    recall, precision = counts.curve
    assert recall == pytest.approx([5 / 12, (2 / 3 + 1 / 2) / 2, 1, 1])
    assert precision == pytest.approx([1, 3 / 4, (1 + 2 / 3) / 2, 5 / 8])


def test_balance_of_the_databases_bits_falls(counts: PairCounts) -> None:
    assert counts.balance.tolist() == [0.5, 0.5, 0.0]


def test_without_the_file_there_is_nothing_to_count(stored: tuple[Store, CellResults]) -> None:
    store, results = stored
    assert results.fit is not None
    (store.root / results.fit_id / results.fit.artifacts["codes"].file).unlink()
    assert count_pairs(store, results.fit) is None


def test_codes_that_were_changed_are_refused(stored: tuple[Store, CellResults]) -> None:
    store, results = stored
    assert results.fit is not None
    path = store.root / results.fit_id / results.fit.artifacts["codes"].file
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(DamagedStoreError, match="SHA-256"):
        count_pairs(store, results.fit)


def test_many_queries_are_counted_as_a_sample_that_says_so(
    make_results: Callable[..., CellResults],
    store_codes: Callable[..., CellResults],
    tiny_split: EncodedSplit,
    tmp_path: Path,
) -> None:
    from hashbench.core.codes import Codes

    store = Store.create(tmp_path / "many")
    rows = np.arange(1200) % 2
    many = replace(
        tiny_split,
        query=Codes(tiny_split.query.packed[rows], 3),
        query_labels=tiny_split.query_labels[rows],
    )
    results = store_codes(store, make_results("hsc", value=0.5), many)
    assert results.fit is not None
    fit = results.fit.model_copy(update={"cell": replace(results.fit.cell, bits=3)})
    found = count_pairs(store, fit)
    assert found is not None
    assert (found.queries, found.all_queries) == (500, 1200)
    assert found.similar.sum() + found.dissimilar.sum() == 500 * 4
