"""Similarity of unlabelled images, from neighbour lists and clusters, computed when it is used.

Two images are adjacent if either is in the other's list, and every image is adjacent to itself. The
N x N matrix is never stored: rows and edges of it are made from the lists, (N, k).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST, _MOST = 0.02, 0.2
_BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PseudoSimilarity:
    """The similarity matrix S over all pairs of images; it is never stored.

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
        """Return the rows of S, (n, N), for distinct ``indices``, int64 (n,)."""
        together = self.clusters[indices][:, None] == self.clusters
        return self._entries(adjacency_rows(self.neighbours, indices), together)

    def pairs(self, indices: Tensor) -> Tensor:
        """Return S between some images only, (n, n), for distinct ``indices``, int64 (n,)."""
        own = self.clusters[indices]
        return self._entries(adjacency_pairs(self.neighbours, indices), own[:, None] == own)

    def transposed_product(self, indices: Tensor, embeddings: Tensor) -> Tensor:
        """Return S^T U, (N, K), over some rows of S, without making them.

        With sigma the sum of all rows u_i of U and sigma_c that over the members of cluster c::

            (S^T U)_j = -r sigma + (beta + r) sigma_{c_j}
                        + sum_{i adjacent to j} [ (1 + r) - (beta + r) 1(c_i = c_j) ] u_i

        ``indices``, int64 (m,) and distinct, are the rows, and the embeddings U, (m, K).
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
        """Return the r with which negative entries weigh as much as positive ones, within limits.

        It is the sum of the positive entries of the rows ``indices``, int64 (m,) and distinct, over
        the number of the negative ones, limited to [0.02, 0.2]; the upper limit if no entry is
        negative. Whether ``beta`` is 0 changes the sum, not which entries are negative.
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


def neighbour_lists(directions: Tensor, count: int) -> Tensor:
    """Return the k other items with the highest cosine to each item, int64 (N, k), nearest first.

    Args:
        directions: (N, D), rows of norm 1 or 0.
        count: Length k of a list, at most N - 1; a longer one is cut to that.
    """
    items = len(directions)
    count = min(count, items - 1)
    blocks = []
    for own in torch.split(torch.arange(items, device=directions.device), _BLOCK):
        cosines = directions[own] @ directions.T
        # Below every cosine, so that an item is not its own neighbour even among duplicates.
        cosines[torch.arange(len(own), device=own.device), own] = -torch.inf
        blocks.append(cosines.topk(count, dim=1).indices)
    return torch.cat(blocks)


def adjacency_rows(lists: Tensor, rows: Tensor) -> Tensor:
    """Return distinct rows of the adjacency, bool (n, N), made from the lists (N, k)."""
    items, count = len(lists), len(rows)
    everyone = torch.arange(items, device=lists.device)
    own = torch.arange(count, device=lists.device)
    place = torch.full_like(everyone, count)
    place[rows] = own
    # One row more takes the entries of no wanted row: no size then depends on the data, so the
    # program never waits for the device.
    adjacent = torch.zeros(count + 1, items, dtype=torch.bool, device=lists.device)
    adjacent[place[lists], everyone[:, None]] = True
    adjacent[own[:, None], lists[rows]] = True
    adjacent[own, rows] = True
    return adjacent[:count]


def adjacency_pairs(lists: Tensor, rows: Tensor) -> Tensor:
    """Return the adjacency between distinct items only, bool (n, n), from the lists (N, k)."""
    listed = (lists[rows][:, :, None] == rows).any(1)
    return (listed | listed.T).fill_diagonal_(True)


def adjacency_edges(lists: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the true entries of distinct rows of the adjacency, from the lists (N, k).

    They are positions in ``rows`` and columns, each int64 (E,), E <= n + 2 N k; each entry once.
    """
    items = len(lists)
    own = torch.arange(len(rows), device=lists.device)
    place = torch.full((items,), -1, device=lists.device)
    place[rows] = own
    listed_in = place[lists]
    listing = torch.arange(items, device=lists.device)[:, None].expand_as(lists)
    found = listed_in >= 0
    entries = torch.cat(
        [
            own * items + rows,
            (own[:, None] * items + lists[rows]).flatten(),
            listed_in[found] * items + listing[found],
        ]
    )
    edges: Tensor = torch.unique(entries)
    return edges // items, edges % items
