"""A deep method: a backbone and a head, trained with a hashing loss."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch

from hashbench.core.cell import Cell, Head, TrainSettings, Weights
from hashbench.core.codes import Codes, Role
from hashbench.core.info import ComponentInfo, Supervision
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
from hashbench.training.backbone import build_backbone
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

    Raises:
        ValueError: If the cell is not one of a deep method.
    """

    info: ClassVar[ComponentInfo] = ComponentInfo("deep hashing", supervision=Supervision.LABELS)

    def __init__(self, backbone: type[Backbone], loss: type[HashLoss], *, cell: Cell) -> None:
        self._backbone_class = backbone
        self._loss_class = loss
        self._cell = cell
        self._settings, self._head, self._bits = _deep_settings(cell)
        self._network: HashNetwork | None = None
        self._loss: HashLoss | None = None

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        """Train for all epochs, from the newest checkpoint if there is one.

        Raises:
            DivergedError: If the loss is no longer finite.
            DataError: If pretrained weights cannot be had or do not fit.
        """
        clock = PhaseClock(ctx.device)
        with clock("build"):
            network, weights_sha256 = self._build_network(ctx)
        features = None
        if self._loss_class.needs.prepass:
            with clock("prepass"):
                features = self._prepass(network.backbone, data, ctx)
        draw = generator(derive_seed(self._cell.seed, Purpose.LOSS))
        with clock("build"):
            loss = self._build_loss(data, ctx, draw, features=features)
        self._network, self._loss = network, loss
        loop = Loop(
            network=network,
            loss=loss,
            optimiser=_optimiser(self._settings, network, loss),
            data=data,
            settings=self._settings,
            ctx=ctx,
            generator=draw,
            clock=clock,
            drop_last=self._head.last_layer == "bn",
        )
        resumed_from = loop.run()
        trainable = [p for m in (network, loss) for p in m.parameters() if p.requires_grad]
        return FitReport(
            phases=clock.seconds,
            epochs=self._settings.epochs,
            images_seen=loop.images_seen,
            parameters=sum(parameter.numel() for parameter in trainable),
            history=tuple(loop.history),
            resumed_from=resumed_from,
            weights_sha256=weights_sha256,
        )

    def encode(self, images: ImageStream, role: Role) -> Codes:
        """The signs of the network's outputs; the same function for queries and database.

        Raises:
            DivergedError: If an output is NaN or infinite.
        """
        del role
        if self._network is None:
            raise RuntimeError("encode before fit")
        return encode_outputs(self._network, images)

    def database_codes(self) -> Codes | None:
        """The loss's learned codes of the training set, if it has them."""
        return self._loss.database_codes() if self._loss else None

    def _build_network(self, ctx: TrainContext) -> tuple[HashNetwork, str | None]:
        seed_everything(derive_seed(self._cell.seed, Purpose.INITIALISATION))
        backbone, weights_sha256 = build_backbone(self._backbone_class, self._cell, ctx)
        head = build_head(self._head, backbone.feature_dim, bits=self._bits)
        network = HashNetwork(backbone, head, precision=self._cell.precision)
        return network.to(ctx.device), weights_sha256

    def _prepass(self, backbone: Backbone, data: TrainView, ctx: TrainContext) -> torch.Tensor:
        if self._settings.prepass == "pixels":
            return PixelFeatures()(data.images).to(ctx.device)
        if self._settings.prepass == "random":
            seed_everything(derive_seed(self._cell.seed, Purpose.INITIALISATION))
            untrained = replace(self._cell, weights=Weights())
            backbone, _ = build_backbone(self._backbone_class, untrained, ctx)
        extract = BackboneFeatures(backbone, ctx.device, precision=self._cell.precision)
        return extract(data.images).to(ctx.device)

    def _build_loss(
        self,
        data: TrainView,
        ctx: TrainContext,
        draw: torch.Generator,
        *,
        features: torch.Tensor | None,
    ) -> HashLoss:
        # So that what a loss owns starts the same whatever the backbone drew before it.
        seed_everything(derive_seed(self._cell.seed, Purpose.LOSS, "parameters"))
        chosen = self._cell.loss
        loss = self._loss_class(self._loss_class.Params(**(chosen.params if chosen else {})))
        loss.setup(
            LossContext(
                # A copy: a loss that writes to its labels must not change the batches' labels.
                labels=data.labels.clone(),
                bits=self._bits,
                multilabel=data.multilabel,
                epochs=self._settings.epochs,
                batch_size=self._settings.batch_size,
                generator=draw,
                device=ctx.device,
                features=features,
            )
        )
        return loss.to(ctx.device)


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


def _deep_settings(cell: Cell) -> tuple[TrainSettings, Head, int]:
    if cell.train is None or cell.head is None or cell.bits is None:
        raise ValueError(f"not a deep cell: {cell}")
    return cell.train, cell.head, cell.bits
