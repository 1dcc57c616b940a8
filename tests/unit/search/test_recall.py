"""Recall against the exact scan, with ties accepted by distance."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.search.engine import Neighbours
from hashbench.search.recall import ExactAnswers

# Distances to the query 1111: 0, 1, 1, 1, 3, 4.
DATABASE = Codes.from_outputs(
    np.array(
        [
            [1, 1, 1, 1],
            [-1, 1, 1, 1],
            [1, -1, 1, 1],
            [1, 1, -1, 1],
            [1, -1, -1, -1],
            [-1, -1, -1, -1],
        ]
    )
)
QUERY = Codes.from_outputs(np.ones((1, 4)))


def found(*ids):
    return Neighbours(np.zeros((1, len(ids)), dtype=np.int32), np.array([ids], dtype=np.int64))


@pytest.mark.parametrize(
    ("ids", "recall"),
    [
        ((0, 1, 2), 1),
        ((0, 3, 2), 1),  # another of the three at distance 1
        ((3, 2, 1), 1),  # none is farther than the third nearest
        ((0, 1, 4), 2 / 3),
        ((4, 5, 4), 0),
        ((0, 0, 0), 1 / 3),  # the same position again is no further find
        ((0, -1, -1), 1 / 3),
    ],
)
def test_what_is_as_near_as_the_kth_neighbour_counts_whichever_it_is(ids, recall):
    assert ExactAnswers(QUERY, DATABASE).recall(found(*ids), 3) == pytest.approx(recall)


def test_a_k_above_the_database_asks_for_all_of_it():
    answers = ExactAnswers(QUERY, DATABASE)
    assert answers.recall(found(0, 1, 2, 3, 4, 5), 100) == 1
    assert answers.recall(found(0, 1, 2, 3, 4, -1), 100) == pytest.approx(5 / 6)


def test_it_is_the_mean_over_the_first_queries():
    query = Codes(np.repeat(QUERY.packed, 5, axis=0), 4)
    answers = ExactAnswers(query, DATABASE, at_most=2)
    both = Neighbours(np.zeros((2, 1), np.int32), np.array([[0], [5]]))
    assert len(answers.query) == 2
    assert answers.recall(both, 1) == 0.5


def test_searching_for_the_largest_k_first_changes_nothing():
    prepared = ExactAnswers(QUERY, DATABASE)
    prepared.prepare(6)
    for k in (1, 3, 6):
        ids = found(*range(6 - k, 6))
        assert prepared.recall(ids, k) == ExactAnswers(QUERY, DATABASE).recall(ids, k)
