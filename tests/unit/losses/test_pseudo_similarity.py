"""Pseudo-similarity made on demand against the whole matrix, written from its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.methods.building_blocks.pseudo_similarity import PseudoSimilarity

Array = NDArray[np.float64]
IMAGES, CLUSTERS, BITS = 60, 6, 5


def similarity_of(neighbours: int, beta: float, r: float) -> PseudoSimilarity:
    rng = np.random.default_rng(neighbours)
    others = [rng.permutation([j for j in range(IMAGES) if j != i]) for i in range(IMAGES)]
    return PseudoSimilarity(
        neighbours=torch.tensor(np.array([each[:neighbours] for each in others])),
        clusters=torch.tensor(rng.integers(CLUSTERS, size=IMAGES)),
        cluster_count=CLUSTERS,
        same_cluster=beta,
        dissimilar=torch.tensor(r, dtype=torch.float64),
    )


def dense(of: PseudoSimilarity) -> Array:
    lists, ids = of.neighbours.numpy(), of.clusters.numpy()
    matrix = np.empty((IMAGES, IMAGES))
    for i in range(IMAGES):
        for j in range(IMAGES):
            if i == j or j in lists[i] or i in lists[j]:
                matrix[i, j] = 1
            elif ids[i] == ids[j]:
                matrix[i, j] = of.same_cluster
            else:
                matrix[i, j] = -float(of.dissimilar)
    return matrix


@pytest.fixture(params=[(3, 0.8, 0.07), (0, 0.8, 0.2), (3, 0.0, 0.02), (0, 0.0, 0.1)])
def similarity(request: pytest.FixtureRequest) -> PseudoSimilarity:
    return similarity_of(*request.param)


@pytest.fixture(
    params=[[5, 0, 59, 9, 31, 44, 17], list(range(IMAGES))], ids=["some rows", "all rows"]
)
def indices(request: pytest.FixtureRequest) -> torch.Tensor:
    return torch.tensor(request.param)


def test_rows_are_those_of_the_whole_matrix(
    similarity: PseudoSimilarity, indices: torch.Tensor
) -> None:
    found = similarity.rows(indices)
    assert found.dtype == torch.float64
    np.testing.assert_array_equal(found.numpy(), dense(similarity)[indices.numpy()])
    among = similarity.pairs(indices).numpy()
    np.testing.assert_array_equal(among, dense(similarity)[np.ix_(indices, indices)])


def test_the_fast_product_equals_the_dense_one(
    similarity: PseudoSimilarity, indices: torch.Tensor
) -> None:
    embeddings = np.random.default_rng(1).normal(size=(len(indices), BITS))
    found = similarity.transposed_product(indices, torch.tensor(embeddings))
    expected = dense(similarity)[indices.numpy()].T @ embeddings
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("neighbours", "beta"), [(1, 0.05), (1, 0.1), (0, 0.3)])
def test_negatives_are_weighed_by_the_sum_of_positives_over_their_number(
    neighbours: int, beta: float, indices: torch.Tensor
) -> None:
    similarity = similarity_of(neighbours, beta, 0.5)
    entries = dense(similarity)[indices.numpy()]
    ratio = entries[entries > 0].sum() / (entries < 0).sum()
    assert 0.02 < ratio < 0.2
    assert float(similarity.balancing_weight(indices)) == pytest.approx(ratio)


def test_the_weight_of_negatives_is_limited() -> None:
    everyone = torch.arange(IMAGES)
    assert float(similarity_of(6, 1.0, 0.1).balancing_weight(everyone)) == 0.2
    apart = PseudoSimilarity(
        neighbours=torch.empty(100, 0, dtype=torch.int64),
        clusters=torch.arange(100),
        cluster_count=100,
        same_cluster=0.8,
        dissimilar=torch.tensor(0.1, dtype=torch.float64),
    )
    assert float(apart.balancing_weight(torch.arange(100))) == 0.02  # 1/99 is less


def test_without_a_negative_entry_the_weight_is_finite() -> None:
    together = PseudoSimilarity(
        neighbours=torch.empty(3, 0, dtype=torch.int64),
        clusters=torch.zeros(3, dtype=torch.int64),
        cluster_count=1,
        same_cluster=0.8,
        dissimilar=torch.tensor(0.1),
    )
    assert float(together.balancing_weight(torch.arange(3))) == pytest.approx(0.2)
