"""ADSH: outputs of sampled images regress on similarities with learned codes of all images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.discrete_codes import DatabaseCodes, OuterIterationLoss
from hashbench.methods.building_blocks.pairs import similar_pairs
from hashbench.methods.interface import HashBatch, LossContext, LossTerms, OutputAccess


class ADSH(OuterIterationLoss):
    r"""Asymmetric Deep Supervised Hashing (Jiang and Li, AAAI 2018).

    With outputs u (n, K), h_i = tanh(u_i), codes V in {-1, +1}^(N x K) of all N training images,
    and a sample Omega of m of them, for a batch of n images of Omega::

        s_ij = 1 if images i and j share a label, else -r
        r    = similar / dissimilar entries of S over Omega x all

        L = mean_ij (<h_i, v_j> - K s_ij)^2 + (gamma / N) mean_i ||v_i - h_i||^2

    which is the published sum over the batch and all j, divided by N n. An outer iteration draws
    Omega, sets r, trains ``inner_epochs`` epochs on Omega, and then moves V by one sweep over its
    bits, exactly the best value of each bit given the others, so that the sum over Omega never
    rises; where both values are equally good the old bit stays. An epoch of the harness is one over
    Omega: the authors' 50 outer iterations of 3 are 150 epochs. S is never held as a whole.

    **Comparisons with other methods.** The method uses the labels of *all* the images it is
    given for training, sampled or not, and its authors give it the whole database: 59,000 labelled
    images of CIFAR-10, where other methods get 5,000. And with ``database_codes: learned`` the
    codes that are searched are V, functions of those images' labels: such a row measures how well
    queries find labels. With the default, ``network``, on the training set of the other methods,
    rows are comparable with theirs; rows of the authors' form belong in a separate table.

    Defaults are the authors': gamma = 200, m = 2000 (at most N), 3 inner epochs; preset ``authors``
    adds the learned codes.

    Traps avoided: V starts as the signs of the initial network. The authors' port starts with
    zeros, and then nothing but gamma ||h||^2 acts during the first outer iteration. One r is used
    for all batches and for the sweep; a public version computes another for each batch.

    There is no ``pair_weight``: r is the method's own balance, and the sweep is exact for the
    objective as it is.

    Terms: ``similarity`` and ``code`` (weight gamma / N).
    """

    class Params(BaseParams):
        """Parameters of `ADSH`.

        Attributes:
            code: gamma.
            sample: Images m of an outer iteration, at most all.
            inner_epochs: Epochs of an outer iteration.
            database_codes: Codes of training images in the database; read the warning above.
        """

        code: float = Field(200.0, ge=0)
        sample: int = Field(2000, ge=1)
        inner_epochs: int = Field(3, ge=1)
        database_codes: DatabaseCodes = DatabaseCodes.NETWORK

        presets: ClassVar = {
            "authors": {
                "code": 200.0,
                "sample": 2000,
                "inner_epochs": 3,
                "database_codes": "learned",
            },
        }

    info = ComponentInfo(
        title="Asymmetric Deep Supervised Hashing",
        paper="Jiang and Li, AAAI 2018",
        citation="jiang2018adsh",
        supervision=Supervision.LABELS,
    )
    params: Params
    dissimilar: Tensor
    training_labels: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Make V (N, bits) and the state of an outer iteration."""
        self.start(ctx, images=len(ctx.labels))
        self.register_buffer("dissimilar", torch.tensor(0.0, device=ctx.device))
        # Not in a checkpoint: every run is given the labels again.
        self.register_buffer("training_labels", ctx.labels, persistent=False)
        self._single_label, self._block = not ctx.multilabel, ctx.batch_size

    def prepare_iteration(self, outer: int, outputs: OutputAccess) -> None:
        """Set r for the new sample."""
        self.dissimilar.copy_(self.similarity.balancing_weight(self.sampled))

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch of Omega; keep its detached h for the update of V."""
        embeddings = torch.tanh(batch.outputs)
        self.keep(batch.indices, embeddings)
        targets = embeddings.shape[1] * self.similarity.rows(batch.indices)
        gaps = embeddings @ self.codes.T - targets
        terms = {
            "similarity": gaps.square().mean(),
            "code": (self.codes[batch.indices] - embeddings).square().sum(1).mean(),
        }
        return LossTerms(terms, {"code": self.params.code / len(self.codes)})

    @property
    def similarity(self) -> LabelSimilarity:
        """Return S."""
        return LabelSimilarity(
            labels=self.training_labels,
            dissimilar=self.dissimilar,
            single_label=self._single_label,
            block=self._block,
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelSimilarity:
    """The similarity matrix S over all pairs of labelled images; it is never stored.

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
        """Return the rows of S, (n, N), for ``indices``, int64 (n,)."""
        return torch.where(self._shared(indices), 1, -self.dissimilar)

    def transposed_product(self, indices: Tensor, embeddings: Tensor) -> Tensor:
        """Return S^T U, (N, K), over some rows of S, without making them all.

        With A_ij = 1 for the similar pairs, S = (1 + r) A - r, so::

            (S^T U)_j = (1 + r) (A^T U)_j - r sum_i u_i

        With one label an image, (A^T U)_j is the sum of the u_i in the class of j; with several,
        A is made ``block`` rows at a time.

        ``indices``, int64 (m,), are the rows, and the embeddings U, (m, K).
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
        """Return the r with which negative entries weigh as much as positive ones.

        It is the number of similar over that of dissimilar entries of the rows ``indices``, int64
        (m,); 0 if no entry is dissimilar.
        """
        similar = self._similar_entries(indices)
        dissimilar = len(indices) * len(self.labels) - similar
        ratio = similar.double() / dissimilar.clamp_min(1)
        return torch.where(dissimilar > 0, ratio, 0).to(self.dissimilar.dtype)

    def _similar_entries(self, indices: Tensor) -> Tensor:
        """Count the similar entries of some rows, in int64: float32 counts to 2^24 only."""
        if self.single_label:
            sizes = self.labels.sum(0, dtype=torch.int64)
            return (self.labels[indices].sum(0, dtype=torch.int64) * sizes).sum()
        counts = [self._shared(rows).sum() for rows in torch.split(indices, self.block)]
        return torch.stack(counts).sum()

    def _shared(self, indices: Tensor) -> Tensor:
        return similar_pairs(self.labels[indices], self.labels)
