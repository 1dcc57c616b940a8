"""torchmetrics and scikit-learn, where their definition is ours.

torchmetrics ranks by a float score and cuts with an unstable top-k, so its values mean something on
rankings without ties alone. Normalised discounted cumulative gain is compared on ties too: both
average it over them as ``ties=expected`` does. Its average precision divides by the hits inside the
cut (``div=hits``), its precision by K even above the database, and its gain is the label itself, so
that 2^g - 1 is handed to it. It computes in float32.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, precision_recall_curve
from torchmetrics.functional.retrieval import retrieval_normalized_dcg
from torchmetrics.retrieval import (
    RetrievalMAP,
    RetrievalNormalizedDCG,
    RetrievalPrecision,
    RetrievalPrecisionRecallCurve,
    RetrievalRecall,
)

from hashbench.core.codes import Codes, Embeddings
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric

BITS = 64
CLASSES = 4
ACTIONS = {"zero": "neg", "skip": "skip"}


class Retrieval:
    """Queries of the all-ones code, and database codes at distances that are given."""

    def __init__(self, *, queries, distances, multilabel, seed):
        rng = np.random.default_rng(seed)
        labels = np.eye(CLASSES + 1, dtype=np.uint8)[:, :CLASSES]  # the last row has no label
        labels = labels[rng.integers(0, CLASSES + 1, queries + len(distances))]
        if multilabel:
            labels = (rng.random(labels.shape) < 0.4).astype(np.uint8)
        self.query_labels, self.labels = labels[:queries], labels[queries:]
        outputs = [[-1.0] * distance + [1.0] * (BITS - distance) for distance in distances]
        self.query = Codes.from_outputs(np.ones((queries, BITS)))
        self.database = Codes.from_outputs(np.array(outputs))
        self.gains = (self.query_labels.astype(int) @ self.labels.T.astype(int)).astype(int)
        # Above zero: torchmetrics takes an item whose score is not for one that was not retrieved.
        scores = [1.0 - distance / (BITS + 1) for distance in distances]
        self.scores = np.tile(scores, (queries, 1))

    def evaluate(self, *names):
        metrics = [parse_metric(name) for name in names]
        sides = self.query, self.database, self.query_labels, self.labels
        found = evaluate(*sides, metrics, order_seed=0)
        return [found[metric.name] for metric in metrics]

    def torchmetrics(self, metric, target):
        """The value of a class of torchmetrics over all queries."""
        indexes = np.arange(len(target)).repeat(target.shape[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how it keeps its state
            return metric(
                torch.from_numpy(self.scores.ravel()).float(),
                torch.from_numpy(target.ravel()),
                indexes=torch.from_numpy(indexes),
            )


@st.composite
def rankings(draw, *, ties=False):
    places = st.integers(0, BITS)
    distances = draw(st.lists(places, min_size=1, max_size=50, unique=not ties))
    return Retrieval(
        queries=draw(st.integers(1, 4)),
        distances=distances,
        multilabel=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32)),
    )


def single(value):
    """Equal in float32, which a mean of hundreds of float32 values is not to the last digit."""
    return pytest.approx(float(value), rel=2e-6, abs=2e-6)


def some_query_counts(case):
    return bool((case.gains > 0).any())


@settings(max_examples=60, deadline=None)
@given(case=rankings(), cutoff=st.integers(1, 60), empty=st.sampled_from(sorted(ACTIONS)))
def test_without_ties_map_precision_and_recall_are_those_of_torchmetrics(case, cutoff, empty):
    if empty == "skip" and not some_query_counts(case):
        empty = "zero"
    relevant = case.gains > 0
    names = [f"{name}@{cutoff}/empty={empty}" for name in ("map", "precision", "recall")]
    found = case.evaluate(*names)
    classes = (RetrievalMAP, RetrievalPrecision, RetrievalRecall)
    for value, cls in zip(found, classes, strict=True):
        metric = cls(empty_target_action=ACTIONS[empty], top_k=cutoff)
        assert value.value == single(case.torchmetrics(metric, relevant))


@settings(max_examples=40, deadline=None)
@given(case=rankings(ties=True), cutoff=st.integers(1, 60))
def test_expected_ndcg_is_that_of_torchmetrics_over_ties(case, cutoff):
    (found,) = case.evaluate(f"ndcg@{cutoff}/ties=expected")
    for q, gains in enumerate(case.gains):
        wanted = retrieval_normalized_dcg(
            torch.from_numpy(case.scores[q]).float(), torch.from_numpy(2**gains - 1), top_k=cutoff
        )
        assert found.per_query[q] == single(wanted)
    metric = RetrievalNormalizedDCG(top_k=cutoff)
    assert found.value == single(case.torchmetrics(metric, 2**case.gains - 1))


@settings(max_examples=40, deadline=None)
@given(case=rankings(), cutoff=st.integers(1, 60))
def test_without_ties_every_order_of_ndcg_is_scikit_learns(case, cutoff):
    if len(case.labels) == 1:  # scikit-learn takes no single item
        return
    orders = case.evaluate(*(f"ndcg@{cutoff}/ties={t}" for t in ("expected", "stable", "best")))
    wanted = [ndcg_score([2**gains - 1], [s], k=cutoff)
              for gains, s in zip(case.gains, case.scores, strict=True)]  # fmt: skip
    for found in orders:
        assert found.per_query == pytest.approx(wanted, rel=0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(case=rankings())
def test_precision_and_recall_at_every_cut_are_torchmetrics_curve(case):
    relevant = case.gains > 0
    cuts = range(1, len(case.labels) + 1)
    precision, recall, at = case.torchmetrics(
        RetrievalPrecisionRecallCurve(max_k=len(case.labels)), relevant
    )
    assert at.reshape(-1).tolist() == list(cuts)
    found = case.evaluate(*(f"precision@{k}" for k in cuts), *(f"recall@{k}" for k in cuts))
    wanted = [*precision.reshape(-1).tolist(), *recall.reshape(-1).tolist()]
    assert [value.value for value in found] == [single(value) for value in wanted]


@settings(max_examples=40, deadline=None)
@given(case=rankings(ties=True))
def test_precision_and_recall_at_every_radius_are_scikit_learns_curve(case):
    distances = np.rint((1 - case.scores[0]) * (BITS + 1)).astype(int)
    radii = sorted(set(distances.tolist()))
    found = case.evaluate(*(f"precision@r{r}" for r in radii), *(f"recall@r{r}" for r in radii))
    for q, gains in enumerate(case.gains):
        if not gains.any():
            continue
        precision, recall, _ = precision_recall_curve(gains > 0, -distances)
        # Its thresholds rise, our radii do; its last point, without a threshold, is not one.
        wanted = [*precision[:-1][::-1], *recall[:-1][::-1]]
        assert [value.per_query[q] for value in found] == pytest.approx(wanted, rel=0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), items=st.integers(2, 60), cutoff=st.integers(1, 70))
def test_embeddings_too_are_ranked_and_scored_as_by_torchmetrics(seed, items, cutoff):
    rng = np.random.default_rng(seed)
    query, database = (rng.standard_normal((n, 7)).astype(np.float32) for n in (1, items))
    labels = np.eye(2, dtype=np.uint8)[rng.integers(0, 2, items)]
    metric = parse_metric(f"map@{cutoff}")
    found = evaluate(
        Embeddings(query), Embeddings(database), labels[:1], labels, [metric], order_seed=0
    )
    cosines = [
        float(np.dot(query[0].astype(float), row) / np.linalg.norm(row))
        for row in database.astype(float)
    ]
    places = np.argsort(np.argsort(cosines)) + 1  # above zero, and further apart than float32 is
    relevant = torch.from_numpy(labels[:, labels[0].argmax()] == 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = RetrievalMAP(top_k=cutoff)(
            torch.from_numpy(places).float(), relevant, indexes=torch.zeros(items, dtype=torch.long)
        )
    assert found[metric.name].value == single(wanted)
