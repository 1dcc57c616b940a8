"""From a cell's names to the method object that the harness runs."""

from __future__ import annotations

import torch

from hashbench.core.cell import Cell
from hashbench.core.registry import Kind, Registry
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.building_blocks.features import (
    BackboneFeatures,
    FeatureExtractor,
    FeatureMemory,
    PixelFeatures,
)
from hashbench.methods.interface import Method, TrainContext
from hashbench.training.backbone import build_backbone
from hashbench.training.deep import DeepHashMethod
from hashbench.training.determinism import seed_everything


def build_method(
    cell: Cell, registry: Registry, ctx: TrainContext, *, memory: FeatureMemory | None = None
) -> tuple[Method, str | None]:
    """Build a cell's method.

    Args:
        cell: Its settings.
        registry: Where its names are looked up.
        ctx: Device and weights.
        memory: Who may know the features of a backbone that does not learn.

    Returns:
        The method, and the checksum of the weights loaded for it so far (a deep method loads its
        own, and says so in its report).

    Raises:
        ConfigError: If a name is not registered.
        DataError: If a backbone's weights cannot be had or do not fit.
    """
    if cell.loss and cell.backbone:
        backbone = registry.load(Kind.BACKBONE, cell.backbone.name)
        loss = registry.load(Kind.LOSS, cell.loss.name)
        return DeepHashMethod(backbone, loss, cell=cell, memory=memory), None
    if cell.method is None:
        raise ValueError(f"neither a loss nor a method: {cell}")
    cls = registry.load(Kind.METHOD, cell.method.name)
    params = cls.Params(**cell.method.params)
    features, weights_sha256 = _features(cell, registry, ctx, memory)
    return cls(params, bits=cell.bits, features=features), weights_sha256


def _features(
    cell: Cell, registry: Registry, ctx: TrainContext, memory: FeatureMemory | None
) -> tuple[FeatureExtractor, str | None]:
    if cell.backbone is None:
        return PixelFeatures(), None
    seed_everything(derive_seed(cell.seed, Purpose.INITIALISATION))
    cls = registry.load(Kind.BACKBONE, cell.backbone.name)
    backbone, weights_sha256 = build_backbone(cls, cell, ctx)
    extractor = BackboneFeatures(backbone, ctx.device, precision=cell.precision, memory=memory)
    return extractor, weights_sha256


def resolve_device(wanted: str) -> torch.device:
    """The device to use: ``auto`` takes CUDA where there is one."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)
