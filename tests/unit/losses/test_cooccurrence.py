"""Similarity of label sets by co-occurrence, against its definition and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.losses.dfadh import (
    cooccurrence_similarity,
    damped_cooccurrence,
)

Array = NDArray[np.float64]


def damped(labels: Array, rho: float) -> Array:
    classes = labels.shape[1]
    result = np.zeros((classes, classes))
    for c in range(classes):
        for d in range(classes):
            of_c, of_d = labels[:, c].sum(), labels[:, d].sum()
            both = (labels[:, c] * labels[:, d]).sum()
            together = both / np.sqrt(of_c * of_d) if of_c and of_d else 0.0
            result[c, d] = (1 - rho) * (c == d) + rho * together
    return result


def similarity(labels: Array, R: Array) -> Array:
    result = np.eye(len(labels))
    for i, y_i in enumerate(labels):
        for j, y_j in enumerate(labels):
            if i != j and y_i.any() and y_j.any():
                value = y_i @ R @ y_j / np.sqrt((y_i @ R @ y_i) * (y_j @ R @ y_j))
                result[i, j] = min(max(value, 0), 1)
    return result


def found(labels: Array, rho: float) -> Array:
    y = torch.tensor(labels, dtype=torch.float32)
    return cooccurrence_similarity(y, damped_cooccurrence(y, rho)).numpy()


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_both_follow_their_definitions(rho: float, multi_labels: Array) -> None:
    expected = damped(multi_labels, rho)
    got = damped_cooccurrence(torch.tensor(multi_labels), rho)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-7)
    np.testing.assert_allclose(
        found(multi_labels, rho), similarity(multi_labels, expected), atol=1e-6
    )


def test_two_classes_that_share_one_of_their_two_images() -> None:
    labels = np.array([[1, 1], [1, 0], [0, 1]])
    np.testing.assert_allclose(damped(labels, 0.3), [[1, 0.15], [0.15, 1]])
    # The first has both labels: (1 + 0.15) / sqrt(2.3 * 1); the other two have unlike ones.
    np.testing.assert_allclose(found(labels, 0.3)[0], [1, 0.75829, 0.75829], atol=1e-5)
    assert found(labels, 0.3)[1, 2] == pytest.approx(0.15)


@pytest.mark.parametrize("rho", [0.1, 0.3, 0.7])
def test_single_labels_give_exactly_zero_and_one(rho: float) -> None:
    classes = np.random.default_rng(0).integers(7, size=500)
    values = found(np.eye(7)[classes], rho)
    np.testing.assert_array_equal(values, classes[:, None] == classes)


def test_it_is_symmetric_with_a_unit_diagonal_and_within_zero_and_one() -> None:
    labels = (np.random.default_rng(1).random((200, 9)) < 0.25).astype(float)
    assert not labels.any(1).all()  # some have no label
    values = found(labels, 0.3)
    np.testing.assert_array_equal(values, values.T)
    np.testing.assert_array_equal(values.diagonal(), 1)
    assert values.min() >= 0 and values.max() <= 1


def test_equal_label_sets_are_alike_and_no_labels_are_unlike_everything(
    multi_labels: Array,
) -> None:
    twice = np.vstack([multi_labels, multi_labels])
    values = found(twice, 0.3)
    unlabelled = np.flatnonzero(twice.sum(1) == 0)
    for i in range(len(multi_labels)):
        if i not in unlabelled:
            assert values[i, i + len(multi_labels)] == pytest.approx(1)
    np.testing.assert_array_equal(values[unlabelled], np.eye(len(twice))[unlabelled])


def test_without_co_occurrence_it_is_the_cosine_of_label_vectors(multi_labels: Array) -> None:
    labelled = multi_labels[multi_labels.any(1)]
    units = labelled / np.linalg.norm(labelled, axis=1, keepdims=True)
    np.testing.assert_allclose(found(labelled, 0.0), units @ units.T, atol=1e-6)


def test_labels_that_often_occur_together_are_somewhat_alike() -> None:
    labels = np.array([[1, 1, 0]] * 8 + [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    values = found(labels, 0.3)
    assert 0.2 < values[8, 9] < 0.4
    assert values[8, 10] == 0


def test_a_class_without_images_is_like_no_other() -> None:
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert damped_cooccurrence(labels, 0.3)[0, 1] == 0
    assert bool(torch.isfinite(damped_cooccurrence(labels, 1.0)).all())
