"""Graded metrics against a list of every order that ties can stand in."""

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
MOST = 4  # labels of the query; an item shares any number of them
TOLERANCE = 1e-12


def every_order(keys):
    """All orders of positions by ascending key, equal keys in every possible order."""
    levels = [[i for i, key in enumerate(keys) if key == level] for level in sorted(set(keys))]
    for parts in product(*(permutations(level) for level in levels)):
        yield [position for part in parts for position in part]


def dcg(gains, cutoff):
    return math.fsum((2**g - 1) / math.log2(i + 1) for i, g in enumerate(gains[:cutoff], start=1))


def ndcg(gains, cutoff):
    ideal = dcg(sorted(gains, reverse=True), cutoff)
    return dcg(gains, cutoff) / ideal if ideal else 0.0


def acg(gains, cutoff):
    return sum(gains[:cutoff]) / cutoff


def wap(gains, cutoff):
    inside = gains[:cutoff]
    means = [sum(inside[:i]) / i for i in range(1, len(inside) + 1) if inside[i - 1]]
    return math.fsum(means) / len(means) if means else 0.0


SCORES = {"ndcg": ndcg, "acg": acg, "wap": wap}


def codes_at(distances, bits, seed):
    """A query and one item at each distance, the differing bits drawn at random."""
    rng = np.random.default_rng(seed)
    query = rng.choice([-1.0, 1.0], size=bits)
    items = np.tile(query, (len(distances), 1))
    for row, distance in zip(items, distances, strict=True):
        row[rng.choice(bits, size=distance, replace=False)] *= -1
    return Codes.from_outputs(query[None]), Codes.from_outputs(items)


def labels_sharing(gains, *, classes, seed):
    """A query with its labels spread over the classes, and items that share so many of them."""
    rng = np.random.default_rng(seed)
    own = rng.choice(classes, size=MOST, replace=False)
    others = np.setdiff1d(np.arange(classes), own)
    query = np.zeros((1, classes), dtype=np.uint8)
    query[0, own] = 1
    items = np.zeros((len(gains), classes), dtype=np.uint8)
    for row, gain in zip(items, gains, strict=True):
        row[rng.choice(own, size=gain, replace=False)] = 1
        row[rng.choice(others, size=rng.integers(0, 3), replace=False)] = 1
    return query, items


def single_labels(gains):
    return np.array([[1, 0]], dtype=np.uint8), np.array([[g, 1 - g] for g in gains], dtype=np.uint8)


def assert_every_tie_rule(family, cutoff, *, sides, labels, keys, gains, order_seed):
    k = cutoff or len(keys)
    rules = ["expected", "stable"] + ([] if family == "wap" else ["best", "worst"])
    metrics = {rule: parse_metric(f"{family}@{cutoff or 'all'}/ties={rule}") for rule in rules}

    found = evaluate(*sides, *labels, list(metrics.values()), order_seed=order_seed)

    scores = [SCORES[family]([gains[i] for i in order], k) for order in every_order(keys)]
    shuffled = np.argsort(np.random.PCG64(order_seed).random_raw(len(keys)), kind="stable").tolist()
    stable = sorted(shuffled, key=lambda i: keys[i])  # sorted() is stable
    wanted = {
        "expected": math.fsum(scores) / len(scores),
        "stable": SCORES[family]([gains[i] for i in stable], k),
        "best": max(scores),
        "worst": min(scores),
    }
    for rule, metric in metrics.items():
        value = found[metric.name].value
        assert value == pytest.approx(wanted[rule], rel=0, abs=TOLERANCE), metric.name


def tied_items(largest_gain):
    @st.composite
    def draw_items(draw):
        bits = draw(st.sampled_from(BITS))
        item = st.tuples(st.integers(0, min(bits, 3)), st.integers(0, largest_gain))
        distances, gains = zip(*draw(st.lists(item, min_size=1, max_size=7)), strict=True)
        return bits, distances, gains

    return draw_items()


CUTOFFS = st.one_of(st.none(), st.integers(1, 9))
SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("family", SCORES)
@pytest.mark.parametrize("classes", [7, 64, 65, 300])
@settings(max_examples=60, deadline=None)
@given(items=tied_items(MOST), cutoff=CUTOFFS, seed=SEEDS)
def test_codes_of_images_with_several_labels(family, classes, items, cutoff, seed):
    bits, distances, gains = items
    assert_every_tie_rule(
        family,
        cutoff,
        sides=codes_at(distances, bits, seed),
        labels=labels_sharing(gains, classes=classes, seed=seed),
        keys=distances,
        gains=gains,
        order_seed=seed,
    )


@pytest.mark.parametrize("family", SCORES)
@settings(max_examples=100, deadline=None)
@given(items=tied_items(1), cutoff=CUTOFFS, seed=SEEDS)
def test_codes_of_images_with_one_label(family, items, cutoff, seed):
    bits, distances, gains = items
    assert_every_tie_rule(
        family,
        cutoff,
        sides=codes_at(distances, bits, seed),
        labels=single_labels(gains),
        keys=distances,
        gains=gains,
        order_seed=seed,
    )


@pytest.mark.parametrize("family", SCORES)
@settings(max_examples=60, deadline=None)
@given(items=tied_items(MOST), cutoff=CUTOFFS, seed=SEEDS)
def test_embeddings_tie_where_their_cosine_is_equal(family, items, cutoff, seed):
    _, angles, gains = items
    rng = np.random.default_rng(seed)
    # The same direction at another length has the same cosine, and must tie.
    lengths = 2.0 ** rng.integers(-3, 4, size=len(angles))
    directions = np.array([[np.cos(a), np.sin(a), 0.0] for a in angles])
    database = Embeddings((lengths[:, None] * directions).astype(np.float32))
    query = Embeddings(np.array([[3.0, 0.0, 0.0]], dtype=np.float32))
    assert_every_tie_rule(
        family,
        cutoff,
        sides=(query, database),
        labels=labels_sharing(gains, classes=80, seed=seed),
        keys=angles,
        gains=gains,
        order_seed=seed,
    )
