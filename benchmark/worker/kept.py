"""Keeping a fitted method in the store, and taking it up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Cell, Weights
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.registry import Registry
from hashbench.methods.building_blocks.keepable import KeepableMethod
from hashbench.methods.interface import ImageStream, Method, TrainContext
from hashbench.worker.building import build_method

CHECKED = 256  # images: a whole batch of encoding, so that both encodings see equal batches


def keepable(method: Method, cell: Cell) -> KeepableMethod:
    """The method itself, seen before any training to be one that can be kept.

    Raises:
        ConfigError: If it is none.
    """
    if not isinstance(method, KeepableMethod):
        raise ConfigError(
            f"{cell}: {type(method).__name__} is no KeepableMethod, it does not say what encoding "
            f"needs; drop execute: {{keep_model: true}}"
        )
    return method


def kept_state(method: KeepableMethod) -> dict[str, NDArray[Any]]:
    """A fitted method's arrays, on the CPU, as they are stored."""
    state = method.encoder_state()
    return {k: v.detach().cpu().contiguous().numpy().copy() for k, v in state.items()}


def restore_method(
    cell: Cell,
    state: Mapping[str, NDArray[Any]],
    registry: Registry,
    *,
    device: torch.device,
) -> Method:
    """Build a cell's method and take up its stored state; no first weights are needed.

    Args:
        cell: The fit's cell.
        state: What `kept_state` gave.
        registry: Where its components are looked up.
        device: Where it shall encode.

    Raises:
        ConfigError: If a component is not registered.
        DataError: If the state does not fit the present code.
    """
    bare = replace(cell, weights=Weights())
    ctx = TrainContext(cell=bare, device=device)
    try:
        method = keepable(build_method(bare, registry, ctx)[0], cell)
        method.restore_encoder({k: torch.from_numpy(v) for k, v in state.items()}, ctx)
    except (RuntimeError, AttributeError, KeyError) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"{cell}: the stored model does not fit the present code ({why}); use the version of "
            f"hashbench and of its plugins that the record names, or re-run the cell"
        ) from error
    return method


def count_differing(
    method: Method, images: ImageStream, encoded: Codes | Embeddings
) -> tuple[int, int]:
    """How many images a restored method encodes otherwise than the fitted one did, of how many.

    Args:
        method: The restored method.
        images: At most `CHECKED` images.
        encoded: What the fitted one gave for them and perhaps more, in order.
    """
    again = method.encode(images, Role.QUERY)
    differing = np.any(_rows(again) != _rows(encoded)[: len(again)], axis=1)
    return int(np.count_nonzero(differing)), len(again)


def _rows(encoded: Codes | Embeddings) -> NDArray[Any]:
    return encoded.packed if isinstance(encoded, Codes) else encoded.values
