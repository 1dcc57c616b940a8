"""A deep method: a backbone and a head, trained with a hashing loss."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from hashbench.core.cell import Cell, Head, TrainSettings
from hashbench.core.codes import Codes, Role
from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.features import BackboneFeatures, PixelFeatures
from hashbench.methods.heads import build_head
from hashbench.methods.interface import (
    Backbone,
    FitReport,
    HashLoss,
    ImageStream,
    LossContext,
    Method,
    TrainContext,
    TrainView,
)
from hashbench.methods.weights import read_state_dict
from hashbench.training.determinism import generator, seed_everything
from hashbench.training.encoding import encode_outputs
from hashbench.training.loop import Loop
from hashbench.training.network import HashNetwork
from hashbench.training.optimisation import build_optimiser
from hashbench.training.phases import PhaseClock


class DeepHashMethod(Method):
    """Backbone x head x loss; see the cell for all its settings.

    Args:
        backbone: The backbone's class.
        loss: The loss's class.
        cell: The resolved settings of both, of the head and of the training.
    """

    info: ClassVar[ComponentInfo] = ComponentInfo("deep hashing", supervision=Supervision.LABELS)

    def __init__(self, backbone: type[Backbone], loss: type[HashLoss], *, cell: Cell) -> None:
        self._backbone_class = backbone
        self._loss_class = loss
        self._cell = cell
        self._network: HashNetwork | None = None
        self._loss: HashLoss | None = None

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        """Train for all epochs, from the newest checkpoint if there is one.

        Raises:
            DivergedError: If the loss is no longer finite.
            DataError: If pretrained weights cannot be had or do not fit.
        """
        cell, clock = self._cell, PhaseClock(ctx.device)
        settings, head, bits = _deep_settings(cell)
        with clock("build"):
            seed_everything(derive_seed(cell.seed, Purpose.INITIALISATION))
            backbone = build_backbone(self._backbone_class, cell, ctx)
            network = HashNetwork(
                backbone,
                build_head(head, backbone.feature_dim, bits=bits),
                precision=cell.precision,
            ).to(ctx.device)
        with clock("prepass"):
            features = self._prepass(settings, backbone, data, ctx)
        draw = generator(derive_seed(cell.seed, Purpose.LOSS))
        loss = self._loss_class(self._loss_class.Params(**_params(cell)))
        loss.setup(
            LossContext(
                labels=data.labels.clone(),
                bits=bits,
                multilabel=data.multilabel,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                generator=draw,
                device=ctx.device,
                features=features,
            )
        )
        loss.to(ctx.device)
        self._network, self._loss = network, loss
        loop = Loop(
            network,
            loss,
            self._optimiser(settings, network, loss),
            data,
            settings,
            ctx,
            draw,
            clock,
            drop_last=head.last_layer == "bn",
        )
        resumed_from = loop.run()
        return FitReport(
            phases=clock.seconds,
            epochs=settings.epochs,
            images_seen=loop.images_seen,
            parameters=sum(p.numel() for m in (network, loss) for p in m.parameters()),
            history=tuple(loop.history),
            resumed_from=resumed_from,
            weights_sha256=cell.weights.sha256,
        )

    def encode(self, images: ImageStream, role: Role) -> Codes:
        """The signs of the network's outputs; the same function for queries and database."""
        del role
        if self._network is None:
            raise RuntimeError("encode before fit")
        return encode_outputs(self._network, images)

    def database_codes(self) -> Codes | None:
        """The loss's learned codes of the training set, if it has them."""
        return self._loss.database_codes() if self._loss else None

    def _prepass(
        self, settings: TrainSettings, backbone: Backbone, data: TrainView, ctx: TrainContext
    ) -> torch.Tensor | None:
        if not self._loss_class.needs.prepass:
            return None
        if settings.prepass == "pixels":
            return PixelFeatures()(data.images).to(ctx.device)
        extract = BackboneFeatures(backbone, ctx.device, precision=self._cell.precision)
        return extract(data.images).to(ctx.device)

    @staticmethod
    def _optimiser(
        settings: TrainSettings, network: HashNetwork, loss: HashLoss
    ) -> torch.optim.Optimizer:
        added = network.backbone.new_parameters()
        names = {id(parameter) for parameter in added}
        return build_optimiser(
            settings,
            new=[*network.head.parameters(), *added, *loss.parameters()],
            backbone=[p for p in network.backbone.parameters() if id(p) not in names],
        )


def build_backbone(cls: type[Backbone], cell: Cell, ctx: TrainContext) -> Backbone:
    """Build a backbone with its first weights.

    Raises:
        DataError: If the weights cannot be had or do not fit.
    """
    params: BaseParams = cls.Params(**(cell.backbone.params if cell.backbone else {}))
    backbone = cls(params, image_size=cell.data.image_size)
    if ctx.weights is not None:
        backbone.load_pretrained(read_state_dict(ctx.weights))
    elif cell.weights.pretrained:
        backbone.load_pretrained(cls.fetch_pretrained(params, cell.weights.source))
    return backbone


def _deep_settings(cell: Cell) -> tuple[TrainSettings, Head, int]:
    if cell.train is None or cell.head is None or cell.bits is None:
        raise ValueError(f"not a deep cell: {cell}")
    return cell.train, cell.head, cell.bits


def _params(cell: Cell) -> dict[str, Any]:
    return dict(cell.loss.params) if cell.loss else {}
