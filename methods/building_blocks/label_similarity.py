"""Similarity of labelled images with softened negatives, made on demand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hashbench.methods.building_blocks.pairs import similar_pairs


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelSimilarity:
    """The matrix S over all pairs of images; it is never stored.

    Its entries are::

        s_ij = 1    if i and j share a label (an image without one is similar to nothing)
               -r   otherwise

    Attributes:
        labels: (N, classes), multi-hot.
        dissimilar: r, a scalar.
        single_label: Whether no image has several labels; then sums of classes replace rows.
        block: Rows of S that are made at once where rows have to be.
    """

    labels: Tensor
    dissimilar: Tensor
    single_label: bool
    block: int

    def rows(self, indices: Tensor) -> Tensor:
        """Some rows of S.

        Args:
            indices: int64 (n,).

        Returns:
            (n, N), in the dtype of ``dissimilar``.
        """
        return torch.where(self._shared(indices), 1, -self.dissimilar)

    def transposed_product(self, indices: Tensor, embeddings: Tensor) -> Tensor:
        """S^T U over some rows of S, without making them all.

        With A_ij = 1 for the similar pairs, S = (1 + r) A - r, so::

            (S^T U)_j = (1 + r) (A^T U)_j - r sum_i u_i

        With one label an image, (A^T U)_j is the sum of the u_i in the class of j; with several,
        A is made ``block`` rows at a time.

        Args:
            indices: int64 (m,): the rows.
            embeddings: U, (m, K).

        Returns:
            (N, K).
        """
        if self.single_label:
            product = self.labels @ (self.labels[indices].T @ embeddings)
        else:
            product = embeddings.new_zeros(len(self.labels), embeddings.shape[1])
            parts = zip(
                torch.split(indices, self.block), torch.split(embeddings, self.block), strict=True
            )
            for rows, part in parts:
                product += self._shared(rows).to(part.dtype).T @ part
        return (1 + self.dissimilar) * product - self.dissimilar * embeddings.sum(0)

    def balancing_weight(self, indices: Tensor) -> Tensor:
        """The r that makes negative entries weigh as much as positive ones.

        The number of similar over that of dissimilar entries of some rows.

        Args:
            indices: int64 (m,): the rows.

        Returns:
            A scalar, in the dtype of ``dissimilar``; 0 if no entry is dissimilar.
        """
        similar = self._similar_entries(indices)
        dissimilar = len(indices) * len(self.labels) - similar
        ratio = similar.double() / dissimilar.clamp_min(1)
        return torch.where(dissimilar > 0, ratio, 0).to(self.dissimilar.dtype)

    def _similar_entries(self, indices: Tensor) -> Tensor:
        """Number of similar entries of some rows, int64: float32 counts to 2^24 only."""
        if self.single_label:
            sizes = self.labels.sum(0, dtype=torch.int64)
            return (self.labels[indices].sum(0, dtype=torch.int64) * sizes).sum()
        counts = [self._shared(rows).sum() for rows in torch.split(indices, self.block)]
        return torch.stack(counts).sum()

    def _shared(self, indices: Tensor) -> Tensor:
        return similar_pairs(self.labels[indices], self.labels)
