"""UD2H: unsupervised, asymmetric, discrete hashing of pseudo-similarities, with clustering."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import ClassVar

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

from hashbench.core.cell import BackboneMode, TrainSettings
from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.clustering import (
    cluster_means,
    divergence,
    kmeans,
    log_assignment,
    sharpened,
    usable,
)
from hashbench.methods.building_blocks.discrete_codes import DatabaseCodes, OuterIterationLoss
from hashbench.methods.building_blocks.feature_directions import (
    centred_directions,
    prepass_features,
)
from hashbench.methods.building_blocks.pseudo_similarity import PseudoSimilarity, neighbour_lists
from hashbench.methods.interface import HashBatch, LossContext, LossTerms, Needs, OutputAccess

_FEWEST, _MOST = 10, 200
_KEPT = 0.9  # of the running cluster frequencies, an outer iteration


class Mode(StrEnum):
    """Whether the features that the pseudo-similarity is built from change in training.

    ``frozen``: the backbone is not trained, so features and neighbours stay as they are, and a pass
    over all images is cheap. ``tuned``: it is trained, so they are computed anew at every refresh,
    and only the sampled images pass through the network in between.
    """

    FROZEN = "frozen"
    TUNED = "tuned"


class UD2H(OuterIterationLoss):
    r"""Unsupervised discriminative deep hashing, our reconstruction: no formula of it is public.

    The source says in words that similarity is built from the data's own semantics, that clusters
    (globality) and neighbours (locality) shape it, that learning is asymmetric, and that a
    clustering loss is part of the objective. Ours, for outputs u (n, K) and h_i = tanh(u_i)::

        s_ij = 1     if j is one of i's k nearest by cosine of g, or i of j's, or i = j
               beta  otherwise, if both are in the same cluster
               -r    otherwise;  r = sum of positive / number of negative entries, in [0.02, 0.2]

        J = 1/(m N K^2) { sum_{i in Omega} sum_j (<h_i, b_j> - K s_ij)^2
                          + gamma sum_{i in Omega} ||h_i - b_i||^2 }
            + lambda/m sum_{i in Omega} sum_c p_ic log(p_ic / q_ic)

        q_ic ~ 1 / (1 + ||h_i / sqrt(K) - mu_c||^2),  p_ic ~ q_ic^2 / F_c,  F_c = sum_i q_ic

    g are the features before training, centred, on at most ``pca`` principal directions, of norm 1;
    clusters are those of k-means on g (C = round(sqrt(N) / 2) in [10, 200] by default); B (N, K)
    are codes of all training images, at first the signs of the initial network; mu (C, K) are
    parameters. J is averaged over the rows of a batch. Labels are never read.

    An outer iteration is ``inner_epochs`` epochs over one sample Omega of ``sample`` images, so the
    harness's epoch e, from 0, is in outer iteration t = e // inner_epochs + 1. Before it Omega, r
    and p are set; after it B makes one sweep of `coordinate_sweep` on the part in braces, with the
    h that the steps left behind. (An iteration that the end of training cuts short gets its sweep
    too.) The clustering loss starts after ``warm_up`` outer iterations, with mu the means of
    h / sqrt(K) in the clusters; until then mu has no gradient and no optimiser state. Every
    ``refresh`` iterations from there the ids become argmax_c q_ic, unless fewer than half of the
    clusters would have a member or one would hold more than 30 % of the images. Without these two
    rules all images end in one cluster.

    Defaults: k = 20, beta = 0.8, gamma = 200, lambda = 0.1, 2000 images a sample, 3 inner epochs,
    warm-up 2, refresh 5. The ablations are presets; without the clustering loss the ids stay as
    they were, and ``symmetric`` is the mean of (<h_i, h_j>/K - s_ij)^2 over the pairs of a batch
    instead of the part in braces, without B.

    ``mode: tuned`` takes q, F (0.9 old + 0.1 new) and the first mu from Omega only, and computes g
    and the neighbours anew when it refreshes. The training settings decide whether the backbone is
    trained; a mode that does not fit them is refused.

    Terms: ``similarity``, ``code`` (weight gamma / N) and ``clustering`` (weight lambda; 0 during
    the warm-up).
    """

    class Params(BaseParams):
        """Parameters of `UD2H`.

        Attributes:
            neighbours: k; 0 is an ablation.
            clusters: C; None for round(sqrt(N) / 2), limited to [10, 200].
            same_cluster: beta.
            code: gamma.
            clustering: lambda.
            sample: Images m of an outer iteration, at most all.
            inner_epochs: Epochs of an outer iteration.
            warm_up: Outer iterations without the clustering loss.
            refresh: Outer iterations between two changes of the cluster ids.
            pca: Principal directions the features are projected on; None for no projection.
            mode: Whether the features change in training.
            asymmetric: Whether outputs are compared with B rather than with each other.
            database_codes: Codes of training images in the database.
        """

        neighbours: int = Field(20, ge=0)
        clusters: int | None = Field(None, ge=1)
        same_cluster: float = Field(0.8, ge=0, le=1)
        code: float = Field(200.0, ge=0)
        clustering: float = Field(0.1, ge=0)
        sample: int = Field(2000, ge=1)
        inner_epochs: int = Field(3, ge=1)
        warm_up: int = Field(2, ge=0)
        refresh: int = Field(5, ge=1)
        pca: int | None = Field(256, ge=1)
        mode: Mode = Mode.FROZEN
        asymmetric: bool = True
        database_codes: DatabaseCodes = DatabaseCodes.NETWORK

        presets: ClassVar = {
            "no_neighbours": {"neighbours": 0},
            "no_clusters": {"same_cluster": 0.0},
            "no_clustering_loss": {"clustering": 0.0},
            "symmetric": {"asymmetric": False},
        }

        @field_validator("database_codes")
        @classmethod
        def _learned_codes_are_learned(
            cls, value: DatabaseCodes, info: ValidationInfo
        ) -> DatabaseCodes:
            if value is DatabaseCodes.LEARNED and not info.data.get("asymmetric", True):
                raise ValueError("'learned' needs 'asymmetric: true': without it B is not learned")
            return value

    info = ComponentInfo(
        title="Unsupervised Discriminative Deep Hashing",
        paper="master's thesis; no paper of that title found",
        citation="ud2h_thesis",
        supervision=Supervision.NONE,
        reconstruction=True,
    )
    needs = Needs(prepass=True, buffer=True)
    params: Params
    centres: nn.Parameter
    neighbours: Tensor
    clusters: Tensor
    dissimilar: Tensor
    frequencies: Tensor
    targets: Tensor
    _clustering = False

    @classmethod
    def refusals(cls, params: BaseParams, *, bits: int, settings: TrainSettings) -> list[str]:
        """Refuse a mode that does not fit whether the backbone is trained."""
        assert isinstance(params, cls.Params)  # noqa: S101 - for the type checker
        trained = settings.backbone is BackboneMode.TUNED
        if params.mode is Mode.TUNED and not trained:
            return [
                "mode 'tuned' reads the features anew while the backbone learns, and this one is "
                "frozen. Write mode: frozen"
            ]
        if params.mode is Mode.FROZEN and trained and settings.prepass != "pixels":
            return [
                "mode 'frozen' takes the features for fixed, and the backbone they come from "
                "learns. Write mode: tuned, train: {backbone: frozen} or, for features that are "
                "the pixels, train: {prepass: pixels}"
            ]
        return []

    def setup(self, ctx: LossContext) -> None:
        """Find neighbours (N, k) and clusters (N,) of the features; make all other state."""
        directions = centred_directions(prepass_features(ctx), self.params.pca)
        images, bits = len(directions), ctx.bits
        count = min(self.params.clusters or usual_clusters(images), images)
        found = kmeans(directions, count, generator=ctx.generator)
        self.start(ctx, images=images)
        state = {
            "neighbours": neighbour_lists(directions, self.params.neighbours),
            "clusters": found,
            "dissimilar": torch.tensor(0.0),
            "frequencies": torch.full((count,), images / count),
            "targets": torch.full((len(self.sampled), count), 1 / count),
        }
        for name, value in state.items():
            self.register_buffer(name, value.to(ctx.device))
        self.centres = nn.Parameter(torch.zeros(count, bits, device=ctx.device))
        self.dissimilar.copy_(self.similarity.balancing_weight(self.sampled))

    def begin_epoch(self, epoch: int) -> None:
        """Note whether the warm-up is over."""
        after_warm_up = epoch // self.params.inner_epochs >= self.params.warm_up
        self._clustering = after_warm_up and self.params.clustering > 0

    def forward(self, batch: HashBatch) -> LossTerms:
        """Compute the loss of one batch of Omega; keep its detached h for the update of B."""
        embeddings = torch.tanh(batch.outputs)
        bits = embeddings.shape[1]
        places = self.keep(batch.indices, embeddings)
        clustering = embeddings.new_zeros(())
        if self._clustering:
            assigned = log_assignment(embeddings / math.sqrt(bits), self.centres)
            clustering = divergence(self.targets[places], assigned).mean()
        weights = {"clustering": self.params.clustering}
        if not self.params.asymmetric:
            gaps = embeddings @ embeddings.T / bits - self.similarity.pairs(batch.indices)
            terms = {"similarity": gaps.square().mean(), "clustering": clustering}
            return LossTerms(terms, weights)
        gaps = embeddings @ self.codes.T / bits - self.similarity.rows(batch.indices)
        code = (embeddings - self.codes[batch.indices]).square().sum(1).mean() / bits**2
        terms = {
            "similarity": gaps.square().mean(),
            "code": code,
            "clustering": clustering,
        }
        return LossTerms(terms, {"code": self.params.code / len(self.codes), **weights})

    @property
    def similarity(self) -> PseudoSimilarity:
        """Return S."""
        return PseudoSimilarity(
            neighbours=self.neighbours,
            clusters=self.clusters,
            cluster_count=len(self.centres),
            same_cluster=self.params.same_cluster,
            dissimilar=self.dissimilar,
        )

    def prepare_iteration(self, outer: int, outputs: OutputAccess) -> None:
        """Set r; after the warm-up p and the first centres; at a refresh neighbours and ids."""
        after = outer - self.params.warm_up
        refresh = after > 0 and after % self.params.refresh == 0
        if after > 0 and self.params.clustering > 0:
            self._assign(outputs, first=after == 1, refresh=refresh)
        if refresh and self.params.mode is Mode.TUNED:
            directions = centred_directions(outputs.features(), self.params.pca)
            self.neighbours.copy_(neighbour_lists(directions, self.params.neighbours))
        self.dissimilar.copy_(self.similarity.balancing_weight(self.sampled))

    def _assign(self, outputs: OutputAccess, *, first: bool, refresh: bool) -> None:
        """Set F and p, the first time the centres too, and at a refresh the ids."""
        frozen = self.params.mode is Mode.FROZEN
        everyone = torch.arange(len(self.codes), device=self.codes.device)
        passed = everyone if frozen or refresh else self.sampled
        bits = self.codes.shape[1]
        given = outputs.outputs() if len(passed) == len(everyone) else outputs.outputs(passed)
        points = torch.tanh(given) / math.sqrt(bits)
        if first:
            means, sizes = cluster_means(points, self.clusters[passed], clusters=len(self.centres))
            of_codes, _ = cluster_means(self.codes, self.clusters, clusters=len(self.centres))
            # A cluster of which no image was passed starts where its codes are.
            self.centres.copy_(torch.where(sizes[:, None] > 0, means, of_codes / math.sqrt(bits)))
        assigned = log_assignment(points, self.centres).exp()
        self._count(assigned, running=not frozen and not first)
        rows = self.sampled if len(passed) == len(everyone) else slice(None)
        self.targets.copy_(sharpened(assigned[rows], self.frequencies))
        ids = assigned.argmax(1)
        if refresh and usable(ids, clusters=len(self.centres)):
            self.clusters.copy_(ids)

    def _count(self, assigned: Tensor, *, running: bool) -> None:
        """Estimate F_c of all images from the assignments given, perhaps as a running average."""
        fresh = assigned.sum(0) * (len(self.codes) / len(assigned))
        self.frequencies.copy_(_KEPT * self.frequencies + (1 - _KEPT) * fresh if running else fresh)

    def update_codes(self) -> None:
        """Sweep once over the bits of B, unless outputs are compared with each other."""
        if self.params.asymmetric:
            super().update_codes()


def usual_clusters(images: int) -> int:
    """Return C = round(sqrt(N) / 2), limited to [10, 200]: more clusters than classes help.

    Example:
        >>> [usual_clusters(images) for images in (100, 5000, 59000, 1_000_000)]
        [10, 35, 121, 200]
    """
    return min(max(round(math.sqrt(images) / 2), _FEWEST), _MOST)
