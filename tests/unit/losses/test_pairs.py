"""Similarity of images by their labels, and the two ways to average over pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.building_blocks.pairs import (
    PairWeight,
    label_cosine,
    label_jaccard,
    labelled,
    margin_losses,
    pair_mean,
    similar_pairs,
)

Array = NDArray[np.float64]
SETS = [{0}, {0, 1}, {1, 2}, {0, 1, 2, 3}, set(), {3}, {2, 3}, {0, 3}]  # the fixture's label sets


def tensor(values: Array) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def test_images_are_similar_if_they_share_a_label(multi_labels: Array) -> None:
    y = tensor(multi_labels)
    expected = [[bool(a & b) for b in SETS] for a in SETS]
    assert similar_pairs(y, y).tolist() == expected


def test_an_unlabelled_image_is_similar_to_nothing(multi_labels: Array) -> None:
    y = tensor(multi_labels)
    assert labelled(y).tolist() == [bool(s) for s in SETS]
    assert not similar_pairs(y, y)[4].any()


def test_jaccard_is_shared_over_all_labels(multi_labels: Array) -> None:
    y = tensor(multi_labels)
    expected = [[len(a & b) / max(len(a | b), 1) for b in SETS] for a in SETS]
    np.testing.assert_allclose(label_jaccard(y, y), expected, rtol=1e-6)


def test_cosine_is_shared_labels_over_both_norms(multi_labels: Array) -> None:
    y = tensor(multi_labels)
    expected = [[len(a & b) / max((len(a) * len(b)) ** 0.5, 1) for b in SETS] for a in SETS]
    np.testing.assert_allclose(label_cosine(y, y), expected, rtol=1e-6, atol=1e-9)


def test_two_sides_may_differ_in_length(multi_labels: Array) -> None:
    y = tensor(multi_labels)
    for measure in (similar_pairs, label_jaccard, label_cosine):
        torch.testing.assert_close(measure(y[:2], y), measure(y, y)[:2])


LOSSES = torch.tensor([[1.0, 2.0], [4.0, 9.0]])
SIMILAR = torch.tensor([[True, False], [False, False]])


def test_without_weights_all_pairs_count_alike() -> None:
    assert float(pair_mean(LOSSES, SIMILAR, weight=PairWeight.NONE)) == 4


def test_balanced_adds_the_means_of_both_kinds() -> None:
    assert float(pair_mean(LOSSES, SIMILAR, weight=PairWeight.BALANCED)) == 1 + 5


def test_balanced_equals_the_weights_of_hashnet_over_all_pairs() -> None:
    weights = torch.where(SIMILAR, 4 / 1, 4 / 3)
    expected = float((weights * LOSSES).sum() / 4)
    assert float(pair_mean(LOSSES, SIMILAR, weight=PairWeight.BALANCED)) == pytest.approx(expected)


@pytest.mark.parametrize("value", [True, False])
def test_balanced_leaves_an_empty_kind_out(value: bool) -> None:
    similar = torch.full((2, 2), value)
    assert float(pair_mean(LOSSES, similar, weight=PairWeight.BALANCED)) == 4


@pytest.mark.parametrize("weight", list(PairWeight))
def test_only_valid_pairs_count(weight: PairWeight) -> None:
    valid = torch.tensor([[True, True], [False, False]])
    expected = {PairWeight.NONE: 1.5, PairWeight.BALANCED: 3.0}
    assert float(pair_mean(LOSSES, SIMILAR, weight=weight, valid=valid)) == expected[weight]
    nothing = torch.zeros_like(valid)
    assert float(pair_mean(LOSSES, SIMILAR, weight=weight, valid=nothing)) == 0


def test_a_margin_loss_pulls_similar_pairs_and_pushes_others_up_to_the_margin() -> None:
    codes = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])  # squared distances 9, 1 and 10
    similar = torch.eye(3, dtype=torch.bool)
    similar[0, 1] = similar[1, 0] = True
    found = margin_losses(codes, codes, similar, margin=6.0)
    assert found.tolist() == [[0, 4.5, 2.5], [4.5, 0, 0], [2.5, 0, 0]]
