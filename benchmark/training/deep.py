"""Deep hashing methods: a backbone and a head, trained with a hashing loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import nn

from hashbench.core.cell import Cell, Head, TrainSettings, Weights
from hashbench.core.codes import Codes, Role
from hashbench.core.errors import ConfigError
from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.building_blocks.features import (
    BackboneFeatures,
    FeatureMemory,
    PixelFeatures,
)
from hashbench.methods.head_names import TOKEN_NECKS
from hashbench.methods.heads import Head as HashHead
from hashbench.methods.heads import build_head
from hashbench.methods.interface import (
    Backbone,
    FitReport,
    HashLoss,
    ImageStream,
    LossContext,
    TrainContext,
    TrainView,
)
from hashbench.methods.keepable import KeepableMethod
from hashbench.methods.refusals import caches_features, training_refusals
from hashbench.training.backbone import build_backbone, count_tokens
from hashbench.training.determinism import generator, seed_everything
from hashbench.training.loop import Loop
from hashbench.training.network import (
    CachedFeatures,
    FeatureNetwork,
    HashNetwork,
    encode_outputs,
)
from hashbench.training.optimisation import build_optimiser
from hashbench.training.phases import PhaseClock
from hashbench.training.utilisation import training_flops


class DeepHashMethod(KeepableMethod):
    """A backbone and a head, trained with a hashing loss as the cell says.

    A frozen backbone computes the features of every image once, those of training in the phase
    ``features``, and the head is trained on them. With a loss of two augmented views it computes
    them in every step.

    Args:
        backbone: The backbone's class.
        loss: The loss's class.
        cell: The resolved settings of both, of the head and of the training.
        memory: Cache of the features of a frozen backbone.

    Raises:
        ValueError: If the cell is not one of a deep method.
        ConfigError: If the loss cannot be trained with these settings; see `training_refusals`.
    """

    info: ClassVar[ComponentInfo] = ComponentInfo("deep hashing", supervision=Supervision.LABELS)

    def __init__(
        self,
        backbone: type[Backbone],
        loss: type[HashLoss],
        *,
        cell: Cell,
        memory: FeatureMemory | None = None,
    ) -> None:
        self._backbone_class = backbone
        self._memory = memory
        self._loss_class = loss
        self._cell = cell
        self._settings, self._head, self._bits = _deep_settings(cell)
        self._extract: BackboneFeatures | None = None
        self._parts: dict[str, nn.Module] = {}
        self._network: HashNetwork | FeatureNetwork | None = None
        self._loss: HashLoss | None = None
        self._caches = cell.frozen and caches_features(loss)
        self._params = loss.Params(**(cell.loss.params if cell.loss else {}))
        refused = training_refusals(
            loss, self._params, bits=self._bits, head=self._head, settings=self._settings
        )
        if refused:
            raise ConfigError(*refused)

    def fit(self, data: TrainView, ctx: TrainContext) -> FitReport:
        """Train for all epochs, from the newest checkpoint if there is one.

        Raises:
            DivergedError: If the loss is no longer finite.
            DataError: If pretrained weights are missing or do not fit.
        """
        clock = PhaseClock(ctx.device)
        with clock("build"):
            backbone, head, weights_sha256 = self._build_parts(ctx)
        seen, ctx = self._freeze(backbone, data, ctx, clock=clock)
        features = None
        if self._loss_class.needs.prepass:
            with clock("prepass"):
                features = self._prepass(backbone, data, ctx, seen=seen.images)
        network = self._join(backbone, head)
        draw = generator(derive_seed(self._cell.seed, Purpose.LOSS))
        with clock("build"):
            loss = self._build_loss(data, ctx, draw, features=features)
        self._network, self._loss = network, loss
        loop = Loop(
            network=network,
            loss=loss,
            optimiser=_optimiser(self._settings, network, loss),
            data=seen,
            settings=self._settings,
            ctx=ctx,
            generator=draw,
            clock=clock,
            drop_last=self._head.last_layer == "bn",
        )
        if self._settings.compile:
            network.compile()
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
            step_seconds=loop.steps.read(),
        )

    def count_flops(self, images: ImageStream) -> float:
        """Count the operations of one training image in the trained parts, forward and backward."""
        if self._network is None:
            raise RuntimeError("count_flops before fit")
        one = images.batch(torch.zeros(1, dtype=torch.int64))
        if self._extract:
            one = torch.zeros(1, self._extract.backbone.feature_dim, device=one.device)
        return training_flops(self._network, one)

    def encode(self, images: ImageStream, role: Role) -> Codes:
        """Return the signs of the network's outputs; the same for queries and database.

        Raises:
            DivergedError: If an output is NaN or infinite.
        """
        del role
        if self._network is None:
            raise RuntimeError("encode before fit")
        if self._extract:
            images = CachedFeatures(images, self._extract)
        return encode_outputs(self._network, images)

    def database_codes(self) -> Codes | None:
        """Return the loss's learned codes of the training set, or None."""
        return self._loss.database_codes() if self._loss else None

    def encoder_state(self) -> Mapping[str, torch.Tensor]:
        """Return the parameters and buffers of backbone and head; encoding needs no loss."""
        if not self._parts:
            raise RuntimeError("encoder_state before fit")
        return {
            f"{part}.{name}": tensor
            for part, module in self._parts.items()
            for name, tensor in module.state_dict().items()
        }

    def restore_encoder(self, state: Mapping[str, torch.Tensor], ctx: TrainContext) -> None:
        """Build backbone and head without first weights, and load a state.

        Raises:
            RuntimeError: If the state is that of another network.
        """
        backbone, head, _ = self._build_parts(ctx, weights=False)
        for part, module in self._parts.items():
            prefix = f"{part}."
            own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            module.load_state_dict(own)
        if self._caches:
            self._extract = self._extractor(backbone.eval(), ctx)
        self._network = self._join(backbone, head)

    def _extractor(self, backbone: Backbone, ctx: TrainContext) -> BackboneFeatures:
        return BackboneFeatures(
            backbone, ctx.device, precision=self._cell.precision, memory=self._memory
        )

    def _build_parts(
        self, ctx: TrainContext, *, weights: bool = True
    ) -> tuple[Backbone, HashHead, str | None]:
        seed_everything(derive_seed(self._cell.seed, Purpose.INITIALISATION))
        cell = self._cell if weights else replace(self._cell, weights=Weights())
        backbone, weights_sha256 = build_backbone(
            self._backbone_class, cell, ctx, frozen=weights and self._cell.frozen
        )
        wanted = self._head.neck in TOKEN_NECKS
        head = build_head(
            self._head,
            backbone.feature_dim,
            bits=self._bits,
            tokens=count_tokens(backbone, self._cell.data.image_size) if wanted else None,
            dropout=backbone.neck_dropout,
        )
        self._parts = {"backbone": backbone.to(ctx.device), "head": head.to(ctx.device)}
        return backbone, head, weights_sha256

    def _freeze(
        self, backbone: Backbone, data: TrainView, ctx: TrainContext, *, clock: PhaseClock
    ) -> tuple[TrainView, TrainContext]:
        """Freeze the backbone if the cell says so, and replace images by its features."""
        if self._cell.frozen:
            backbone.requires_grad_(False).eval()
        if not self._caches:
            return data, ctx
        self._extract = self._extractor(backbone, ctx)
        with clock("features"):
            images = CachedFeatures(data.images, self._extract)
            held = ctx.validation if ctx.validate_every else None
            validation = CachedFeatures(held, self._extract) if held is not None else None
        return replace(data, images=images), replace(ctx, validation=validation)

    def _join(self, backbone: Backbone, head: HashHead) -> HashNetwork | FeatureNetwork:
        precision = self._cell.precision
        if self._caches:
            return FeatureNetwork(head, precision=precision)
        return HashNetwork(
            backbone,
            head,
            precision=precision,
            frozen=self._cell.frozen,
            channels_last=self._cell.channels_last,
        )

    def _prepass(
        self, backbone: Backbone, data: TrainView, ctx: TrainContext, *, seen: ImageStream
    ) -> torch.Tensor:
        if isinstance(seen, CachedFeatures) and self._settings.prepass == "weights":
            return seen.features.clone()  # a copy, which the loss may change
        if self._settings.prepass == "pixels":
            return PixelFeatures()(data.images).to(ctx.device)
        if self._settings.prepass == "random":
            seed_everything(derive_seed(self._cell.seed, Purpose.INITIALISATION))
            untrained = replace(self._cell, weights=Weights())
            backbone, _ = build_backbone(self._backbone_class, untrained, ctx)
        return self._extractor(backbone, ctx)(data.images).to(ctx.device)

    def _build_loss(
        self,
        data: TrainView,
        ctx: TrainContext,
        draw: torch.Generator,
        *,
        features: torch.Tensor | None,
    ) -> HashLoss:
        # The loss's parameters start the same whatever the backbone drew before.
        seed_everything(derive_seed(self._cell.seed, Purpose.LOSS, "parameters"))
        loss = self._loss_class(self._params)
        loss.setup(
            LossContext(
                # A copy: a loss that changes its labels must not change those of the batches.
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
    settings: TrainSettings, network: HashNetwork | FeatureNetwork, loss: HashLoss
) -> torch.optim.Optimizer:
    """Build the optimiser, with a group for the backbone unless that is frozen."""
    tuned = network.backbone if isinstance(network, HashNetwork) and not network.frozen else None
    added = tuned.new_parameters() if tuned else []
    names = {id(parameter) for parameter in added}
    return build_optimiser(
        settings,
        new=[*network.head.parameters(), *added, *loss.parameters()],
        backbone=[p for p in tuned.parameters() if id(p) not in names] if tuned else [],
    )


def _deep_settings(cell: Cell) -> tuple[TrainSettings, Head, int]:
    if cell.train is None or cell.head is None or cell.bits is None:
        raise ValueError(f"not a deep cell: {cell}")
    return cell.train, cell.head, cell.bits
