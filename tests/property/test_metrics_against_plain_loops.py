"""Stable order, radii, precision-recall points and label rules against plain loops."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from hashbench.core.codes import Codes, Embeddings
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric

BITS = [1, 12, 24, 48, 64, 65, 130, 1024]


class Retrieval:
    """Random queries and database items with ties, and what a loop needs to know of them."""

    def __init__(self, *, bits, queries, items, classes, multilabel, seed):
        rng = np.random.default_rng(seed)
        # Few centres and few flipped bits make equal codes and equal distances common.
        centres = rng.choice([-1.0, 1.0], size=(3, bits))
        flips = np.where(rng.random((queries + items, bits)) < 1.5 / bits, -1.0, 1.0)
        outputs = centres[rng.integers(0, 3, queries + items)] * flips
        labels = np.eye(classes, dtype=np.uint8)[rng.integers(0, classes, queries + items)]
        if multilabel:
            labels = (rng.random(labels.shape) < 0.3).astype(np.uint8)
        self.query = Codes.from_outputs(outputs[:queries])
        self.database = Codes.from_outputs(outputs[queries:])
        self.query_labels, self.labels = labels[:queries], labels[queries:]
        self.distances = [[int(sum(a != b)) for b in outputs[queries:]] for a in outputs[:queries]]
        self.relevant = [
            [bool(np.any(a.astype(bool) & b.astype(bool))) for b in self.labels]
            for a in self.query_labels
        ]

    def evaluate(self, *names, order_seed=0):
        metrics = [parse_metric(name) for name in names]
        found = evaluate(
            self.query,
            self.database,
            self.query_labels,
            self.labels,
            metrics,
            order_seed=order_seed,
        )
        return [found[metric.name] for metric in metrics]


@st.composite
def retrievals(draw):
    return Retrieval(
        bits=draw(st.sampled_from(BITS)),
        queries=draw(st.integers(1, 4)),
        items=draw(st.integers(1, 40)),
        classes=draw(st.sampled_from([1, 2, 5, 70])),
        multilabel=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32)),
    )


def close(value):
    return pytest.approx(value, rel=0, abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(case=retrievals(), cutoff=st.integers(1, 50), order_seed=st.integers(0, 2**63 - 1))
def test_stable_order_breaks_ties_by_a_seeded_permutation(case, cutoff, order_seed):
    items = len(case.labels)
    shuffled = np.argsort(np.random.PCG64(order_seed).random_raw(items), kind="stable")
    place = {int(item): position for position, item in enumerate(shuffled)}

    by_hits, by_min, precision, recall = case.evaluate(
        *(
            f"{name}/ties=stable"
            for name in (
                f"map@{cutoff}",
                f"map@{cutoff}/div=min",
                f"precision@{cutoff}",
                f"recall@{cutoff}",
            )
        ),
        order_seed=order_seed,
    )

    for q, distances in enumerate(case.distances):
        order = sorted(range(items), key=lambda i: (distances[i], place[i]))
        hits, total = 0, 0.0
        for rank, item in enumerate(order[:cutoff], start=1):
            if case.relevant[q][item]:
                hits += 1
                total += hits / rank
        everything = sum(case.relevant[q])
        assert by_hits.per_query[q] == close(total / hits if hits else 0)
        fewest = min(cutoff, items, everything)
        assert by_min.per_query[q] == close(total / fewest if fewest else 0)
        assert precision.per_query[q] == close(hits / cutoff)
        assert recall.per_query[q] == close(hits / everything if everything else 0)


@settings(max_examples=60, deadline=None)
@given(case=retrievals(), cutoff=st.integers(1, 50))
def test_stable_and_expected_lie_between_the_bounds(case, cutoff):
    for name in (f"map@{cutoff}", f"map@{cutoff}/div=min", f"precision@{cutoff}"):
        worst, stable, expected, best = (
            found.per_query
            for found in case.evaluate(
                *(f"{name}/ties={ties}" for ties in ("worst", "stable", "expected", "best"))
            )
        )
        assert np.all(worst <= np.minimum(stable, expected) + 1e-12)
        assert np.all(best >= np.maximum(stable, expected) - 1e-12)


@settings(max_examples=60, deadline=None)
@given(case=retrievals(), radius=st.integers(0, 1030))
def test_a_hamming_ball_is_counted_item_by_item(case, radius):
    precision, recall = case.evaluate(f"precision@r{radius}", f"recall@r{radius}")
    for q, distances in enumerate(case.distances):
        ball = [case.relevant[q][i] for i, d in enumerate(distances) if d <= radius]
        everything = sum(case.relevant[q])
        assert precision.per_query[q] == close(sum(ball) / len(ball) if ball else 0)
        assert recall.per_query[q] == close(sum(ball) / everything if everything else 0)


@settings(max_examples=40, deadline=None)
@given(case=retrievals())
def test_the_curve_is_the_mean_precision_and_recall_at_every_radius(case):
    (curve,) = case.evaluate("pr@radii")
    radii = range(case.database.bits + 1)
    within = case.evaluate(*(f"precision@r{r}" for r in radii), *(f"recall@r{r}" for r in radii))
    assert curve.curve is not None
    assert list(curve.curve["radius"]) == list(radii)
    assert curve.curve["precision"] == close([v.value for v in within[: len(radii)]])
    assert curve.curve["recall"] == close([v.value for v in within[len(radii) :]])


@settings(max_examples=60, deadline=None)
@given(case=retrievals())
def test_eleven_points_are_read_off_each_querys_own_curve(case):
    (found,) = case.evaluate("pr11@radii")
    for q, distances in enumerate(case.distances):
        relevant, total = case.relevant[q], sum(case.relevant[q])
        curve = []
        for radius in range(case.database.bits + 1):
            ball = [relevant[i] for i, d in enumerate(distances) if d <= radius]
            if ball and total:
                curve.append((Fraction(sum(ball), total), sum(ball) / len(ball)))
        levels = [Fraction(level, 10) for level in range(11)]
        points = [max((p for r, p in curve if r >= level), default=0) for level in levels]
        assert found.per_query[q] == close(sum(points) / 11)


@settings(max_examples=60, deadline=None)
@given(case=retrievals())
def test_the_curves_value_is_scikit_learns_average_precision_of_the_distances(case):
    (curve,) = case.evaluate("pr@radii")
    for q, distances in enumerate(case.distances):
        if any(case.relevant[q]):
            wanted = average_precision_score(case.relevant[q], -np.array(distances))
            assert curve.per_query[q] == close(wanted)


@settings(max_examples=60, deadline=None)
@given(relevant=st.lists(st.booleans(), min_size=1, max_size=64), data=st.data())
def test_without_ties_map_at_all_is_scikit_learns_average_precision(relevant, data):
    if not any(relevant):
        relevant[0] = True
    distances = data.draw(st.permutations(range(len(relevant))))
    outputs = np.array([[-1.0] * d + [1.0] * (64 - d) for d in distances])
    labels = np.array([[r, not r] for r in relevant], dtype=np.uint8)
    names = [
        f"map@all/div={div}/ties={ties}"
        for div in ("hits", "min")
        for ties in ("expected", "stable", "best", "worst")
    ]
    found = evaluate(
        Codes.from_outputs(np.ones((1, 64))),
        Codes.from_outputs(outputs),
        np.array([[1, 0]], dtype=np.uint8),
        labels,
        [parse_metric(name) for name in names],
        order_seed=0,
    )
    wanted = average_precision_score(relevant, -np.array(distances))
    assert [value.value for value in found.values()] == [close(wanted)] * len(names)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), items=st.integers(1, 60), order_seed=st.integers(0, 99))
def test_cosine_ranks_as_a_sort_by_cosine_does(seed, items, order_seed):
    rng = np.random.default_rng(seed)
    query, database = (rng.standard_normal((n, 7)).astype(np.float32) for n in (3, items))
    labels = (rng.random((items, 4)) < 0.4).astype(np.uint8)
    query_labels = np.eye(4, dtype=np.uint8)[:3]
    metrics = [parse_metric(f"map@all/div=min/ties={ties}") for ties in ("expected", "stable")]
    found = evaluate(
        Embeddings(query),
        Embeddings(database),
        query_labels,
        labels,
        metrics,
        order_seed=order_seed,
    )
    for q in range(3):
        relevant = labels[:, q].astype(bool)
        cosines = [
            float(np.dot(query[q].astype(float), row) / np.linalg.norm(row))
            for row in database.astype(float)
        ]
        wanted = average_precision_score(relevant, cosines) if relevant.any() else 0.0
        for metric in metrics:
            assert found[metric.name].per_query[q] == close(wanted)


@settings(max_examples=40, deadline=None)
@given(
    items=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=30),
    cutoff=st.integers(1, 32),
    order_seed=st.integers(0, 2**32),
)
def test_equal_cosines_stand_in_the_seeded_order_too(items, cutoff, order_seed):
    angles, relevant = zip(*items, strict=True)
    shuffled = np.argsort(np.random.PCG64(order_seed).random_raw(len(items)), kind="stable")
    order = sorted(shuffled.tolist(), key=lambda item: angles[item])  # sorted() is stable
    wanted = sum(relevant[item] for item in order[:cutoff]) / cutoff
    metric = parse_metric(f"precision@{cutoff}/ties=stable")
    found = evaluate(
        Embeddings(np.array([[1, 0]], dtype=np.float32)),
        Embeddings(np.array([[np.cos(a), np.sin(a)] for a in angles], dtype=np.float32)),
        np.array([[1, 0]], dtype=np.uint8),
        np.array([[r, not r] for r in relevant], dtype=np.uint8),
        [metric],
        order_seed=order_seed,
    )
    assert found[metric.name].value == close(wanted)


@settings(max_examples=40, deadline=None)
@given(case=retrievals(), seed=st.integers(0, 2**32))
def test_the_order_of_the_database_changes_no_digit_of_what_is_free_of_order(case, seed):
    names = [
        *(
            f"map@{k}/div={div}/ties={ties}"
            for k in (3, 17, "all")
            for div in ("hits", "min")
            for ties in ("expected", "best", "worst")
        ),
        "precision@5",
        "recall@5",
        "precision@r2",
        "recall@r2",
        "pr@radii",
        "pr11@radii",
        *(
            f"{name}@{k}/ties={ties}"
            for name in ("ndcg", "acg")
            for k in (3, 17, "all")
            for ties in ("expected", "best", "worst")
        ),
        *(f"wap@{k}" for k in (3, 17, "all")),
    ]
    before = case.evaluate(*names)
    order = np.random.default_rng(seed).permutation(len(case.labels))
    case.database = Codes(case.database.packed[order], case.database.bits)
    case.labels = case.labels[order]
    after = case.evaluate(*names)
    assert [value.value for value in after] == [value.value for value in before]


@settings(max_examples=40, deadline=None)
@given(case=retrievals())
def test_a_graded_metric_beside_them_changes_no_digit_of_the_others(case):
    names = ["map@3", "map", "map@5/ties=stable", "precision@5", "recall@r2", "pr@radii", "pr11"]
    alone = case.evaluate(*names)
    beside = case.evaluate("ndcg@3", *names, "wap@4/ties=stable")[1:-1]
    assert [list(value.per_query) for value in beside] == [list(v.per_query) for v in alone]
