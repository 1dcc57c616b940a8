"""Expectation and bounds over ties, against a list of every order that ties can stand in."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashbench.core.codes import Codes, Embeddings
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric

BITS = [1, 2, 12, 24, 48, 64, 65, 1024]
TOLERANCE = 1e-12


def every_order(keys):
    """All orders of positions by ascending key, equal keys in every possible order."""
    levels = [[i for i, key in enumerate(keys) if key == level] for level in sorted(set(keys))]
    for parts in product(*(permutations(level) for level in levels)):
        yield [position for part in parts for position in part]


def average_precision(relevant, cutoff, div):
    hits, total = 0, 0.0
    for rank, is_relevant in enumerate(relevant[:cutoff], start=1):
        if is_relevant:
            hits += 1
            total += hits / rank
    divisor = hits if div == "hits" else min(cutoff, len(relevant), sum(relevant))
    return total / divisor if divisor else 0.0


def precision(relevant, cutoff):
    return sum(relevant[:cutoff]) / cutoff


def recall(relevant, cutoff):
    return sum(relevant[:cutoff]) / sum(relevant) if any(relevant) else 0.0


SCORES = {
    "map@{k}/div=hits": lambda relevant, k: average_precision(relevant, k, "hits"),
    "map@{k}/div=min": lambda relevant, k: average_precision(relevant, k, "min"),
    "precision@{k}": precision,
    "recall@{k}": recall,
}


def codes_at(distances, bits, seed):
    """A query and one item at each distance, the differing bits drawn at random."""
    rng = np.random.default_rng(seed)
    query = rng.choice([-1.0, 1.0], size=bits)
    items = np.tile(query, (len(distances), 1))
    for row, distance in zip(items, distances, strict=True):
        row[rng.choice(bits, size=distance, replace=False)] *= -1
    return Codes.from_outputs(query[None]), Codes.from_outputs(items)


def labels_of(relevant):
    labels = np.array([[r, not r] for r in relevant], dtype=np.uint8)
    return np.array([[1, 0]], dtype=np.uint8), labels


def assert_expectation_and_bounds(name, cutoff, *, query, database, keys, relevant):
    text = name.format(k=cutoff or "all")
    score, k = SCORES[name], cutoff or len(keys)
    metrics = [parse_metric(f"{text}/ties={ties}") for ties in ("expected", "best", "worst")]
    query_labels, labels = labels_of(relevant)

    found = evaluate(query, database, query_labels, labels, metrics, order_seed=0)

    scores = [score([relevant[i] for i in order], k) for order in every_order(keys)]
    wanted = math.fsum(scores) / len(scores), max(scores), min(scores)
    for metric, value in zip(metrics, wanted, strict=True):
        assert found[metric.name].value == pytest.approx(value, rel=0, abs=TOLERANCE), metric.name


@st.composite
def tied_items(draw):
    bits = draw(st.sampled_from(BITS))
    distance = st.integers(0, min(bits, 3))
    items = draw(st.lists(st.tuples(distance, st.booleans()), min_size=1, max_size=7))
    return bits, [d for d, _ in items], [r for _, r in items]


CUTOFFS = st.one_of(st.none(), st.integers(1, 9))


@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=120, deadline=None)
@given(items=tied_items(), cutoff=CUTOFFS, seed=st.integers(0, 2**32))
def test_codes_give_the_mean_and_the_extremes_over_all_orders(name, items, cutoff, seed):
    bits, distances, relevant = items
    query, database = codes_at(distances, bits, seed)
    assert_expectation_and_bounds(
        name, cutoff, query=query, database=database, keys=distances, relevant=relevant
    )


@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=40, deadline=None)
@given(items=tied_items(), cutoff=CUTOFFS, seed=st.integers(0, 2**32))
def test_embeddings_tie_where_their_cosine_is_equal(name, items, cutoff, seed):
    _, angles, relevant = items
    rng = np.random.default_rng(seed)
    # The same direction at another length has the same cosine, and must tie.
    lengths = 2.0 ** rng.integers(-3, 4, size=len(angles))
    directions = np.array([[np.cos(a), np.sin(a), 0.0] for a in angles])
    database = Embeddings((lengths[:, None] * directions).astype(np.float32))
    query = Embeddings(np.array([[3.0, 0.0, 0.0]], dtype=np.float32))
    assert_expectation_and_bounds(
        name, cutoff, query=query, database=database, keys=angles, relevant=relevant
    )
