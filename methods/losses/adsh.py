"""ADSH: outputs of sampled images regress on similarities with learned codes of all images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.label_similarity import LabelSimilarity
from hashbench.methods.building_blocks.outer_iterations import (
    DatabaseCodes,
    OuterIterationLoss,
    OuterIterations,
)
from hashbench.methods.interface import (
    HashBatch,
    LossContext,
    LossTerms,
    Needs,
    OutputAccess,
)


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

    **What its numbers may be compared with.** The method uses the labels of *all* the images it is
    given for training, sampled or not, and its authors give it the whole database: 59,000 labelled
    images of CIFAR-10, where other methods get 5,000. And with ``database_codes: learned`` the
    codes that are searched are V, functions of those images' labels: such a row measures how well
    queries find labels. The default is ``network``: on the training set of the other methods, rows
    are comparable with theirs; rows of the authors' form belong in a table of their own.

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

        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
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
    needs: ClassVar[Needs] = Needs(buffer=True)
    params: Params
    dissimilar: Tensor
    training_labels: Tensor

    @property
    def iterations(self) -> OuterIterations:
        """What an outer iteration is."""
        return OuterIterations(
            sample=self.params.sample,
            inner_epochs=self.params.inner_epochs,
            code=self.params.code,
            database_codes=self.params.database_codes,
        )

    def setup(self, ctx: LossContext) -> None:
        """Make V (N, bits) and the state of an outer iteration."""
        self.start(ctx, images=len(ctx.labels))
        self.register_buffer("dissimilar", torch.tensor(0.0, device=ctx.device))
        # Given again to every run, so it has no place in a checkpoint.
        self.register_buffer("training_labels", ctx.labels, persistent=False)
        self._single_label, self._block = not ctx.multilabel, ctx.batch_size

    def prepare_iteration(self, outer: int, outputs: OutputAccess) -> None:
        """Set r for the new sample."""
        self.dissimilar.copy_(self._similarity.balancing_weight(self.sampled))

    def transposed_product(self, rows: Tensor, embeddings: Tensor) -> Tensor:
        """S^T U, (N, K), for rows int64 (n,) of S and U of (n, K)."""
        return self._similarity.transposed_product(rows, embeddings)

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch of Omega; keeps its detached h for the update of V."""
        embeddings = torch.tanh(batch.outputs)
        self.keep(batch.indices, embeddings)
        targets = embeddings.shape[1] * self._similarity.rows(batch.indices)
        gaps = embeddings @ self.codes.T - targets
        terms = {
            "similarity": gaps.square().mean(),
            "code": (self.codes[batch.indices] - embeddings).square().sum(1).mean(),
        }
        return LossTerms(terms, {"code": self.params.code / len(self.codes)})

    @property
    def _similarity(self) -> LabelSimilarity:
        return LabelSimilarity(
            labels=self.training_labels,
            dissimilar=self.dissimilar,
            single_label=self._single_label,
            block=self._block,
        )
