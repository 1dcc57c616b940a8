"""Neighbour lists against sorting, and rows and edges of the adjacency against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.building_blocks.pseudo_similarity import (
    adjacency_edges,
    adjacency_pairs,
    adjacency_rows,
    neighbour_lists,
)

Array = NDArray[np.float64]
ITEMS = 40


@pytest.fixture
def directions() -> Array:
    values = np.random.default_rng(3).normal(size=(ITEMS, 5))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def nearest(directions: Array, count: int) -> NDArray[np.int64]:
    lists = []
    for i, own in enumerate(directions):
        others = [(-(own @ other), j) for j, other in enumerate(directions) if j != i]
        lists.append([j for _, j in sorted(others)[:count]])
    return np.array(lists)


def dense(lists: NDArray[np.int64]) -> NDArray[np.bool_]:
    adjacent = np.eye(len(lists), dtype=bool)
    for i, listed in enumerate(lists):
        for j in listed:
            adjacent[i, j] = adjacent[j, i] = True
    return adjacent


@pytest.mark.parametrize("count", [1, 4])
def test_lists_hold_the_highest_cosines_nearest_first(directions: Array, count: int) -> None:
    found = neighbour_lists(torch.tensor(directions), count)
    np.testing.assert_array_equal(found.numpy(), nearest(directions, count))


def test_lists_do_not_depend_on_the_blocks_they_are_made_in(
    directions: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashbench.methods.building_blocks.pseudo_similarity._BLOCK", 7)
    found = neighbour_lists(torch.tensor(directions), 4)
    np.testing.assert_array_equal(found.numpy(), nearest(directions, 4))


def test_an_item_is_not_its_own_neighbour_even_among_duplicates() -> None:
    found = neighbour_lists(torch.ones(5, 1), 3)
    assert not bool((found == torch.arange(5)[:, None]).any())


@pytest.mark.parametrize(("items", "length"), [(1, 0), (4, 3)])
def test_a_list_is_never_longer_than_there_are_others(items: int, length: int) -> None:
    assert neighbour_lists(torch.eye(items), 20).shape == (items, length)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_rows_are_those_of_the_symmetric_adjacency(directions: Array, count: int) -> None:
    lists = neighbour_lists(torch.tensor(directions), count)
    expected = dense(lists.numpy())
    rows = torch.tensor([3, 0, 39, 17, 8])
    np.testing.assert_array_equal(adjacency_rows(lists, rows).numpy(), expected[rows.numpy()])
    among = adjacency_pairs(lists, rows).numpy()
    np.testing.assert_array_equal(among, expected[np.ix_(rows, rows)])
    everyone = adjacency_rows(lists, torch.arange(ITEMS)).numpy()
    np.testing.assert_array_equal(everyone, everyone.T)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_edges_are_the_true_entries_of_the_rows_once_each(directions: Array, count: int) -> None:
    lists = neighbour_lists(torch.tensor(directions), count)
    rows = torch.tensor([3, 0, 39, 17, 8])
    places, columns = adjacency_edges(lists, rows)
    found = sorted(zip(places.tolist(), columns.tolist(), strict=True))
    expected = np.argwhere(dense(lists.numpy())[rows.numpy()]).tolist()
    assert found == [tuple(entry) for entry in expected]
