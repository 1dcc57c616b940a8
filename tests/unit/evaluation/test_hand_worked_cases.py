"""Cases worked by hand."""

from __future__ import annotations

from fractions import Fraction
from math import log2

import numpy as np
import pytest

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric
from hashbench.evaluation.stable_order import stable_order

LABEL, OTHER = [1, 0], [0, 1]


def codes(*distances, bits=8):
    """One code at each distance from the code of ones."""
    return Codes.from_outputs(np.array([[-1.0] * d + [1.0] * (bits - d) for d in distances]))


def labels(*rows):
    return np.array(rows, dtype=np.uint8)


def score(text, *, distances, relevant, query_labels=LABEL):
    """Score a single query with items at these distances."""
    metric = parse_metric(text)
    rows = labels(*(LABEL if r else OTHER for r in relevant))
    query = codes(0)
    return evaluate(query, codes(*distances), labels(query_labels), rows, [metric], order_seed=0)[
        metric.name
    ]


@pytest.mark.parametrize(
    ("name", "relevant", "wanted"),
    [
        # Divided by the hits in the cut, one hit in front beats two: the field's definition.
        ("map@3/div=hits", "+--", Fraction(1)),
        ("map@3/div=hits", "+-+", Fraction(5, 6)),
        ("map@3/div=min", "+-+", Fraction(5, 6)),
        ("map@3/div=min", "+--+", Fraction(1, 2)),
        ("map@3/div=hits", "---+", Fraction(0)),
        ("map@9/div=min", "-+", Fraction(1, 2)),
        ("precision@4", "+-+-+", Fraction(1, 2)),
        ("precision@10", "+-+-+", Fraction(3, 10)),
        ("precision@all", "+-+-+", Fraction(3, 5)),
        ("recall@2", "+-+-+", Fraction(1, 3)),
        ("recall@10", "+-+-+", Fraction(1)),
        ("precision@r2", "+-+-+", Fraction(2, 3)),
        ("recall@r2", "+-+-+", Fraction(2, 3)),
        ("acg@4", "+-+-+", Fraction(1, 2)),
        ("acg@10", "+-+-+", Fraction(3, 10)),  # K above the database is divided by, as P@K is
        ("wap@3", "+-+", Fraction(5, 6)),  # one label each: weighted by 1, it is AP
        ("ndcg@1", "-+", Fraction(0)),
        ("ndcg@1", "+-", Fraction(1)),
        # Discounts 1, -, 1/2 against 1, 1/log2(3): the ideal has both in front.
        ("ndcg@3", "+-+", Fraction(3, 2) / Fraction(1 + 1 / log2(3))),
        # Precision 1, 1/2, 2/3, 1/2, 3/5 at recall 1/3, 1/3, 2/3, 2/3, 1: recall 0 to 0.3 reads 1,
        # 0.4 to 0.6 reads 2/3, and 0.7 to 1 reads 3/5.
        ("pr11@radii", "+-+-+", (4 * Fraction(1) + 3 * Fraction(2, 3) + 4 * Fraction(3, 5)) / 11),
    ],
)
def test_a_list_without_ties(name, relevant, wanted):
    found = score(name, distances=range(len(relevant)), relevant=[r == "+" for r in relevant])
    assert found.value == pytest.approx(float(wanted), rel=0, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        # Items at distances 1, 1, 1 with one hit: it is first, second or third.
        ("map@all", (Fraction(1) + Fraction(1, 2) + Fraction(1, 3)) / 3),
        ("map@all/ties=best", Fraction(1)),
        ("map@all/ties=worst", Fraction(1, 3)),
        ("map@2", (Fraction(1) + Fraction(1, 2)) / 3),
        ("map@2/ties=worst", Fraction(0)),
        ("precision@2", Fraction(1, 3)),
        ("precision@2/ties=best", Fraction(1, 2)),
        ("recall@2", Fraction(2, 3)),
        ("recall@2/ties=worst", Fraction(0)),
    ],
)
def test_three_items_tied(name, wanted):
    found = score(name, distances=(1, 1, 1), relevant=(False, True, False))
    assert found.value == pytest.approx(float(wanted), rel=0, abs=1e-15)


def test_more_hits_inside_the_cut_can_lower_the_score():
    # After [+] the tie holds one hit and two misses and the cut keeps two of the three:
    # [+] with no further hit scores 1, with a hit at rank 2 also 1, at rank 3 (1 + 2/3) / 2.
    tie = {"distances": (0, 3, 3, 3), "relevant": (True, True, False, False)}
    assert score("map@3/ties=worst", **tie).value == pytest.approx(5 / 6, rel=0, abs=1e-15)
    assert score("map@3/ties=best", **tie).value == 1
    assert score("map@3", **tie).value == pytest.approx((1 + 1 + 5 / 6) / 3, rel=0, abs=1e-15)


@pytest.mark.parametrize(("items", "hits"), [(1, 1), (5, 2), (40, 4), (500, 50)])
def test_a_constant_code_scores_the_class_prior(items, hits):
    relevant = [True] * hits + [False] * (items - hits)
    # E[AP] = (1/n) (H_n + (r-1)/(n-1) (n - H_n)), in exact fractions.
    harmonic = sum(Fraction(1, i) for i in range(1, items + 1))
    others = Fraction(hits - 1, items - 1) if items > 1 else Fraction(0)
    wanted = (harmonic + others * (items - harmonic)) / items
    tied = {"distances": [0] * items, "relevant": relevant}
    assert score("map@all", **tied).value == pytest.approx(float(wanted), rel=1e-14)
    assert score("precision@all", **tied).value == hits / items
    assert score("precision@1", **tied).value == pytest.approx(hits / items, rel=1e-15)


SHARED = {0: [0, 0, 0, 1], 1: [0, 1, 0, 1], 2: [1, 1, 0, 0], 3: [1, 1, 1, 0]}


def graded(text, *, distances, gains):
    """Score a query with three labels and items that share so many of them."""
    metric = parse_metric(text)
    rows = labels(*(SHARED[gain] for gain in gains))
    sides = codes(0), codes(*distances), labels([1, 1, 1, 0]), rows
    return evaluate(*sides, [metric], order_seed=0)[metric.name].value


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        # Gains 2, 0, 3, 1 in this order: ACG 2, 1, 5/3, 3/2, and 2^g - 1 is 3, 0, 7, 1.
        ("acg@1", 2),
        ("acg@3", 5 / 3),
        ("acg@all", 3 / 2),
        ("wap@2", 2),
        ("wap@3", (2 + 5 / 3) / 2),
        ("wap@all", (2 + 5 / 3 + 3 / 2) / 3),
        ("ndcg@1", 3 / 7),
        ("ndcg@2", 3 / (7 + 3 / log2(3))),
        ("ndcg@3", (3 + 7 / 2) / (7 + 3 / log2(3) + 1 / 2)),
        ("ndcg@9", (3 + 7 / 2 + 1 / log2(5)) / (7 + 3 / log2(3) + 1 / 2)),
    ],
)
def test_several_shared_labels_without_ties(name, wanted):
    found = graded(name, distances=(1, 2, 3, 4), gains=(2, 0, 3, 1))
    assert found == pytest.approx(wanted, rel=0, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        # Behind a gain of 1 stand 3 and 0, tied: [1, 3, 0] or [1, 0, 3].
        ("acg@2", (4 / 2 + 1 / 2) / 2),
        ("acg@2/ties=best", 2),
        ("acg@2/ties=worst", 1 / 2),
        ("wap@2", ((1 + 4 / 2) / 2 + 1) / 2),
        ("wap@3", ((1 + 4 / 2) / 2 + (1 + 4 / 3) / 2) / 2),
        ("ndcg@2", (1 + (7 / log2(3) + 0) / 2) / (7 + 1 / log2(3))),
        ("ndcg@2/ties=best", (1 + 7 / log2(3)) / (7 + 1 / log2(3))),
        ("ndcg@2/ties=worst", 1 / (7 + 1 / log2(3))),
        ("ndcg@3/ties=worst", (1 + 7 / 2) / (7 + 1 / log2(3))),
    ],
)
def test_a_tie_of_unequal_gains(name, wanted):
    found = graded(name, distances=(0, 4, 4), gains=(1, 3, 0))
    assert found == pytest.approx(wanted, rel=0, abs=1e-15)


@pytest.mark.parametrize("name", ["ndcg@2", "acg@2", "wap@2", "ndcg@2/ties=stable", "pr11@radii"])
def test_a_query_that_shares_no_label_counts_zero_or_is_left_out_of_graded_metrics(name):
    zero, skip = parse_metric(name), parse_metric(f"{name}/empty=skip")
    sides = codes(0, 0), codes(0, 1), labels([1, 0, 0], [0, 0, 1]), labels([1, 0, 0], [1, 1, 0])
    found = evaluate(*sides, [zero, skip], order_seed=0)
    assert found[skip.name].value == 1
    assert list(found[zero.name].per_query) == [1, 0]
    np.testing.assert_array_equal(found[skip.name].per_query, [1, np.nan])
    assert [found[m.name].without_relevant for m in (zero, skip)] == [1, 1]


@pytest.mark.parametrize("name", ["ndcg@all", "acg@all", "wap@all"])
def test_where_nobody_has_a_label_every_graded_metric_is_zero(name):
    metric = parse_metric(name)
    nothing = np.zeros((2, 3), dtype=np.uint8)
    found = evaluate(codes(0, 0), codes(0, 1), nothing, nothing, [metric], order_seed=0)
    assert list(found[metric.name].per_query) == [0, 0]


def test_the_mean_is_one_of_ratios_not_a_ratio_of_means():
    # The first query's gain of 3 comes second, the second query's gain of 1 first.
    metric = parse_metric("ndcg@2")
    rows = labels([0, 0, 0, 1], [1, 1, 1, 0])
    sides = codes(0, 0), codes(0, 1), labels([1, 1, 1, 0], [0, 0, 0, 1]), rows
    found = evaluate(*sides, [metric], order_seed=0)[metric.name]
    assert found.value == pytest.approx((1 / log2(3) + 1) / 2, rel=1e-15)


def test_an_empty_ball_counts_zero():
    far = {"distances": (5, 6), "relevant": (True, True)}
    assert score("precision@r4", **far).value == 0
    assert score("recall@r4", **far).value == 0
    assert score("precision@r5", **far).value == 1


def test_the_curve_of_two_items():
    found = score("pr@radii", distances=(1, 3), relevant=(True, False))
    assert found.curve is not None
    assert list(found.curve["precision"]) == [0, 1, 1] + [0.5] * 6
    assert list(found.curve["recall"]) == [0] + [1] * 8
    assert found.value == 1


def test_items_that_share_one_of_several_labels_are_relevant():
    metric = parse_metric("recall@1")
    found = evaluate(
        codes(0),
        codes(0, 1, 2),
        labels([1, 1, 0]),
        labels([0, 1, 1], [0, 0, 1], [1, 0, 0]),
        [metric],
        order_seed=0,
    )
    assert found[metric.name].value == 0.5


@pytest.mark.parametrize("classes", [1, 64, 65, 200])
def test_an_image_without_a_label_is_relevant_to_nothing(classes):
    metric = parse_metric("map@all/empty=skip")
    query_labels = np.zeros((2, classes), dtype=np.uint8)
    query_labels[0, -1] = 1
    rows = np.zeros((3, classes), dtype=np.uint8)
    rows[1, -1] = 1
    found = evaluate(codes(0, 0), codes(0, 1, 2), query_labels, rows, [metric], order_seed=0)
    value = found[metric.name]
    assert value.value == 0.5
    assert value.without_relevant == 1


@pytest.mark.parametrize("shared", [0, 63, 64, 127, 128, 199])
def test_one_shared_label_of_two_hundred_is_enough(shared):
    metric = parse_metric("recall@1")
    query_labels, rows = np.zeros((1, 200), dtype=np.uint8), np.zeros((2, 200), dtype=np.uint8)
    query_labels[0, [5, shared]] = 1
    rows[0, [6, 70, 190]] = 1  # nothing in common, in any word of the mask
    rows[1, [7, shared]] = 1
    found = evaluate(codes(0), codes(1, 0), query_labels, rows, [metric], order_seed=0)
    assert found[metric.name].value == 1
    assert found[metric.name].without_relevant == 0


def test_a_query_without_a_relevant_item_counts_zero_or_is_left_out_and_is_counted():
    zero, skip = parse_metric("map@all"), parse_metric("map@all/empty=skip")
    found = evaluate(
        codes(0, 0),
        codes(0, 1),
        labels([1, 0, 0], [0, 0, 1]),
        labels([1, 0, 0], [0, 1, 0]),
        [zero, skip],
        order_seed=0,
    )
    assert list(found) == [zero.name, skip.name]
    assert found[zero.name].value == 0.5
    assert found[skip.name].value == 1
    assert list(found[zero.name].per_query) == [1, 0]
    np.testing.assert_array_equal(found[skip.name].per_query, [1, np.nan])
    assert [found[m.name].queries for m in (zero, skip)] == [2, 1]
    assert [found[m.name].without_relevant for m in (zero, skip)] == [1, 1]


def test_a_mean_over_no_query_is_an_error():
    with pytest.raises(DataError, match="none of the 1 queries has a relevant item"):
        score("map@all/empty=skip", distances=(0, 1), relevant=(False, False))


def test_an_embedding_of_zeros_has_cosine_zero_with_everything():
    metric = parse_metric("map@all/ties=worst")
    values = np.array([[0, 0], [0, 1], [1, 0]], dtype=np.float32)
    found = evaluate(
        Embeddings(values[2:]),
        Embeddings(values),
        labels(LABEL),
        labels(LABEL, OTHER, OTHER),
        [metric],
        order_seed=0,
    )
    assert found[metric.name].value == pytest.approx(1 / 3)  # behind the item it ties with


def test_equal_embeddings_tie_wherever_they_stand():
    # A matrix product may add up one row's terms in another order than the next row's.
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal((1, 1000)).astype(np.float32), 103, axis=0)
    query = Embeddings(rng.standard_normal((3, 1000)).astype(np.float32))
    rows = labels(*(LABEL if i % 2 else OTHER for i in range(103)))
    best, worst = parse_metric("precision@50/ties=best"), parse_metric("precision@50/ties=worst")
    query_labels = labels(LABEL, LABEL, LABEL)
    found = evaluate(query, Embeddings(values), query_labels, rows, [best, worst], order_seed=0)
    assert list(found[best.name].per_query) == [1, 1, 1]
    assert list(found[worst.name].per_query) == [0, 0, 0]


def test_the_order_behind_ties_never_changes():
    # Recorded numbers depend on it: a change here is a change of every stable value.
    assert list(stable_order(8, 0)) == PINNED
    assert sorted(stable_order(1000, 1)) == list(range(1000))
    assert list(stable_order(8, 1)) != PINNED


PINNED = [3, 2, 1, 6, 0, 7, 4, 5]
