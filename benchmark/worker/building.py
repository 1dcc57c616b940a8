"""From a cell's names to the method object that the harness runs."""

from __future__ import annotations

import torch

from hashbench.core.cell import Cell
from hashbench.core.registry import Kind, Registry
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.features import BackboneFeatures, FeatureExtractor, PixelFeatures
from hashbench.methods.interface import Method, TrainContext
from hashbench.training.deep import DeepHashMethod, build_backbone
from hashbench.training.determinism import seed_everything


def build_method(cell: Cell, registry: Registry, ctx: TrainContext) -> Method:
    """Build a cell's method.

    Raises:
        ConfigError: If a name is not registered.
        DataError: If a backbone's weights cannot be had or do not fit.
    """
    if cell.loss and cell.backbone:
        backbone = registry.load(Kind.BACKBONE, cell.backbone.name)
        return DeepHashMethod(backbone, registry.load(Kind.LOSS, cell.loss.name), cell=cell)
    if cell.method is None:
        raise ValueError(f"neither a loss nor a method: {cell}")
    cls = registry.load(Kind.METHOD, cell.method.name)
    params = cls.Params(**cell.method.params)
    method: Method = cls(params, bits=cell.bits, features=_features(cell, registry, ctx))
    return method


def _features(cell: Cell, registry: Registry, ctx: TrainContext) -> FeatureExtractor:
    if cell.backbone is None:
        return PixelFeatures()
    seed_everything(derive_seed(cell.seed, Purpose.INITIALISATION))
    backbone = build_backbone(registry.load(Kind.BACKBONE, cell.backbone.name), cell, ctx)
    return BackboneFeatures(backbone, ctx.device, precision=cell.precision)


def resolve_device(wanted: str) -> torch.device:
    """The device to use: ``auto`` takes CUDA where there is one."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)
