"""Similarity of unlabelled images, from neighbour lists and clusters, made on demand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hashbench.methods.building_blocks.neighbours import (
    adjacency_edges,
    adjacency_pairs,
    adjacency_rows,
)

_LEAST, _MOST = 0.02, 0.2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PseudoSimilarity:
    """The matrix S over all pairs of images; it is never stored.

    Its entries are::

        s_ij = 1      if i and j are adjacent (one is in the other's list, or i = j)
               beta   if they are not, but in the same cluster
               -r     otherwise

    Attributes:
        neighbours: int64 (N, k), see `neighbour_lists`; k may be 0.
        clusters: int64 (N,), ids below ``cluster_count``.
        cluster_count: Number of clusters.
        same_cluster: beta.
        dissimilar: r, a scalar.
    """

    neighbours: Tensor
    clusters: Tensor
    cluster_count: int
    same_cluster: float
    dissimilar: Tensor

    def rows(self, indices: Tensor) -> Tensor:
        """Some rows of S.

        Args:
            indices: int64 (n,), distinct.

        Returns:
            (n, N), in the dtype of ``dissimilar``.
        """
        together = self.clusters[indices][:, None] == self.clusters
        return self._entries(adjacency_rows(self.neighbours, indices), together)

    def pairs(self, indices: Tensor) -> Tensor:
        """The part of S between some images only.

        Args:
            indices: int64 (n,), distinct.

        Returns:
            (n, n), in the dtype of ``dissimilar``.
        """
        own = self.clusters[indices]
        return self._entries(adjacency_pairs(self.neighbours, indices), own[:, None] == own)

    def transposed_product(self, indices: Tensor, embeddings: Tensor) -> Tensor:
        """S^T U over some rows of S, without making them.

        With sigma the sum of all rows u_i of U and sigma_c that over the members of cluster c::

            (S^T U)_j = -r sigma + (beta + r) sigma_{c_j}
                        + sum_{i adjacent to j} [ (1 + r) - (beta + r) 1(c_i = c_j) ] u_i

        Args:
            indices: int64 (m,), distinct: the rows.
            embeddings: U, (m, K).

        Returns:
            (N, K).
        """
        own = self.clusters[indices]
        sums = embeddings.new_zeros(self.cluster_count, embeddings.shape[1])
        sums.index_add_(0, own, embeddings)
        gain = self.same_cluster + self.dissimilar
        product = gain * sums[self.clusters] - self.dissimilar * embeddings.sum(0)
        places, columns = adjacency_edges(self.neighbours, indices)
        together = own[places] == self.clusters[columns]
        weights = (1 + self.dissimilar) - gain * together
        return product.index_add_(0, columns, weights[:, None] * embeddings[places])

    def balancing_weight(self, indices: Tensor) -> Tensor:
        """The r that makes negative entries weigh as much as positive ones, within limits.

        The sum of the positive entries of some rows over the number of the negative ones, limited
        to [0.02, 0.2]. Whether ``beta`` is 0 changes the sum, not what counts as negative.

        Args:
            indices: int64 (m,), distinct: the rows.

        Returns:
            A scalar, in the dtype of ``dissimilar``; the upper limit if no entry is negative.
        """
        own = self.clusters[indices]
        places, columns = adjacency_edges(self.neighbours, indices)
        adjacent = len(places)
        sizes = self.clusters.bincount(minlength=self.cluster_count)
        clustered = sizes[own].sum() - (own[places] == self.clusters[columns]).sum()
        negative = len(indices) * len(self.clusters) - adjacent - clustered
        positive = adjacent + self.same_cluster * clustered.to(self.dissimilar.dtype)
        return (positive / negative).clamp(_LEAST, _MOST)

    def _entries(self, adjacent: Tensor, together: Tensor) -> Tensor:
        beyond = torch.where(together, self.same_cluster, -self.dissimilar)
        return torch.where(adjacent, 1, beyond)
