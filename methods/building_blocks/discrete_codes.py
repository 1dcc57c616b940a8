"""Learned binary codes of all training images: coordinate descent, and training on samples.

`coordinate_sweep` is the step; `OuterIterationLoss` alternates it with epochs over some images.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from hashbench.core.codes import Codes
from hashbench.methods.building_blocks.primitives import sgn
from hashbench.methods.interface import HashLoss, LossContext, Needs, OutputAccess


def coordinate_sweep(codes: Tensor, linear: Tensor, quadratic: Tensor) -> Tensor:
    """Sweep once over the bits, lowering tr(B Q B^T) - 2 tr(P^T B) over B in {-1, +1}^(N x K).

    Bit k of all codes at once becomes its exact minimiser with the other bits fixed, for bits in
    order::

        b_.k = sgn(P_.k - B_{-k} Q_{-k,k})

    so the objective never rises. Where that is exactly 0 either value is optimal and the old one
    is kept. With Q = U^T U and P = K S^T U it minimises ||U B^T - K S||^2.
    The codes B (N, K) are left as they are; linear is P (N, K), quadratic the symmetric Q (K, K).
    """
    result = codes.clone()
    for bit in range(codes.shape[1]):
        others = quadratic[:, bit].clone()
        others[bit] = 0
        values = linear[:, bit] - result @ others
        result[:, bit] = torch.where(values == 0, result[:, bit], sgn(values))
    return result


class DatabaseCodes(StrEnum):
    """Codes of training images in the database: the network's, or the learned B."""

    NETWORK = "network"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterIterations:
    """The settings of an outer iteration.

    Attributes:
        sample: Images m that it trains on, at most all.
        inner_epochs: Epochs over them.
        code: gamma, the weight of ||h_i - b_i||^2 next to the sum over all pairs.
        database_codes: Codes of training images in the database.
    """

    sample: int
    inner_epochs: int
    code: float
    database_codes: DatabaseCodes


class OuterIterationLoss(HashLoss):
    """Base of losses that compare a sample's outputs with learned codes of all training images.

    An outer iteration draws a sample Omega of m images, trains ``inner_epochs`` epochs on it, and
    then moves the codes B (N, K) by one `coordinate_sweep` that lowers::

        sum_{i in Omega} sum_j (<h_i, b_j> - K s_ij)^2 + gamma sum_{i in Omega} ||h_i - b_i||^2

    with the h_i that the steps left behind. The harness's epoch e, from 0, is in outer iteration
    e // inner_epochs + 1; one that the end of training cuts short gets its sweep too. B starts as
    the signs of the initial network.

    A subclass has the parameters of `OuterIterations`, calls `start` in its ``setup`` and `keep` in
    its ``forward``, and has S as its property ``similarity`` (or overrides `transposed_product`).

    Attributes:
        codes: B, (N, K), of -1 and +1.
        sampled: int64 (m,), Omega, ascending.
        visited: bool (m,), which of them a step has seen in this outer iteration.
        embeddings: (m, K), their newest h.
    """

    needs = Needs(buffer=True)
    params: Any
    similarity: Any
    codes: Tensor
    sampled: Tensor
    visited: Tensor
    embeddings: Tensor

    @property
    def iterations(self) -> OuterIterations:
        """The settings of an outer iteration."""
        names = ("sample", "inner_epochs", "code", "database_codes")
        return OuterIterations(**{name: getattr(self.params, name) for name in names})

    @abstractmethod
    def prepare_iteration(self, outer: int, outputs: OutputAccess) -> None:
        """Set what stays fixed during an outer iteration, counted from 1, after Omega is drawn."""

    def transposed_product(self, rows: Tensor, embeddings: Tensor) -> Tensor:
        """Return S^T U, (N, K), for the rows int64 (n,) of S and U of (n, K)."""
        product: Tensor = self.similarity.transposed_product(rows, embeddings)
        return product

    def start(self, ctx: LossContext, *, images: int) -> None:
        """Make the state for N training images, in the shapes it keeps."""
        rows = min(self.iterations.sample, images)
        state = {
            "codes": torch.ones(images, ctx.bits),
            "sampled": torch.arange(rows),
            "visited": torch.zeros(rows, dtype=torch.bool),
            "embeddings": torch.zeros(rows, ctx.bits),
        }
        for name, value in state.items():
            self.register_buffer(name, value.to(ctx.device))
        self._generator, self._epochs = ctx.generator, ctx.epochs

    def begin_training(self, outputs: OutputAccess) -> None:
        """Set the first B from the initial network, and prepare the first outer iteration."""
        self.codes.copy_(sgn(outputs.outputs()))
        self._begin_iteration(1, outputs)

    def epoch_indices(self, epoch: int) -> Tensor:
        """Return Omega, int64 (m,), the same for all epochs of an outer iteration."""
        return self.sampled

    def keep(self, indices: Tensor, embeddings: Tensor) -> Tensor:
        """Keep a batch's h, (n, K), detached, for the update of B; return its places in Omega.

        ``indices``, int64 (n,), are its positions in the training set, all in Omega.
        """
        places = torch.searchsorted(self.sampled, indices)
        self.embeddings[places] = embeddings.detach()
        self.visited[places] = True
        return places

    def end_epoch(self, epoch: int, outputs: OutputAccess) -> None:
        """Update B after an outer iteration, and prepare the next one if there is one."""
        done, last = epoch + 1, epoch + 1 == self._epochs
        inner = self.iterations.inner_epochs
        if done % inner and not last:
            return
        self.update_codes()
        if not last:
            self._begin_iteration(done // inner + 1, outputs)

    @torch.no_grad()
    def update_codes(self) -> None:
        """Sweep once over the bits of B, with the rows of Omega that were visited."""
        rows, embeddings = self.sampled[self.visited], self.embeddings[self.visited]
        bits = embeddings.shape[1]
        linear = bits * self.transposed_product(rows, embeddings)
        linear.index_add_(0, rows, self.iterations.code * embeddings)
        self.codes.copy_(coordinate_sweep(self.codes, linear, embeddings.T @ embeddings))

    def database_codes(self) -> Codes | None:
        """Return B, if training images are to be found by their learned codes."""
        if self.iterations.database_codes is DatabaseCodes.NETWORK:
            return None
        return Codes.from_outputs(self.codes.cpu().numpy())

    @torch.no_grad()
    def _begin_iteration(self, outer: int, outputs: OutputAccess) -> None:
        drawn = torch.randperm(len(self.codes), generator=self._generator)[: len(self.sampled)]
        self.sampled.copy_(drawn.sort().values)
        self.visited.zero_()
        self.prepare_iteration(outer, outputs)
