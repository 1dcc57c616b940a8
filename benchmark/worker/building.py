"""Build a cell's method, untrained or from the state of a stored model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray

from hashbench.core.cell import Cell, Weights
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.registry import Kind, Registry
from hashbench.core.seeds import Purpose, derive_seed
from hashbench.methods.building_blocks.features import (
    BackboneFeatures,
    FeatureExtractor,
    FeatureMemory,
    PixelFeatures,
)
from hashbench.methods.interface import Method, TrainContext
from hashbench.methods.keepable import KeepableMethod
from hashbench.training.backbone import build_backbone
from hashbench.training.deep import DeepHashMethod
from hashbench.training.determinism import seed_everything


def build_method(
    cell: Cell, registry: Registry, ctx: TrainContext, *, memory: FeatureMemory | None = None
) -> tuple[Method, str | None]:
    """Build the untrained method of a cell.

    Returns:
        The method, and the SHA-256 of the weights loaded for it so far (a deep method loads its
        own during `fit` and reports them).

    Raises:
        ConfigError: If a name is not registered.
        DataError: If a backbone's weights are missing or do not fit.
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


def require_keepable(method: Method, cell: Cell) -> KeepableMethod:
    """Return the method if its model can be stored.

    Raises:
        ConfigError: If it cannot.
    """
    if not isinstance(method, KeepableMethod):
        raise ConfigError(
            f"{cell}: {type(method).__name__} is no KeepableMethod, so its model cannot be stored; "
            f"drop execute: {{keep_model: true}}"
        )
    return method


def restore_method(
    cell: Cell, state: Mapping[str, NDArray[Any]], registry: Registry, *, device: torch.device
) -> Method:
    """Build a cell's method and load its stored state; first weights are not needed.

    Raises:
        ConfigError: If a component is not registered.
        DataError: If the state does not fit the present code.
    """
    bare = replace(cell, weights=Weights())
    ctx = TrainContext(cell=bare, device=device)
    try:
        method = require_keepable(build_method(bare, registry, ctx)[0], cell)
        method.restore_encoder({k: torch.from_numpy(v) for k, v in state.items()}, ctx)
    except (RuntimeError, AttributeError, KeyError) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"{cell}: the stored model does not fit the present code ({why}); use the version of "
            f"hashbench and of its plugins that the record names, or re-run the cell"
        ) from error
    return method


def resolve_device(wanted: str) -> torch.device:
    """Return the device of a name; ``auto`` takes CUDA if there is a CUDA device."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def usable_device(wanted: str) -> torch.device:
    """Return the device of ``--device``: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: If this machine has no such device.
    """
    chosen = resolve_device(wanted)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: no CUDA device here; write auto or cpu")
    return chosen
