"""A cell's backbone with its first weights, and the checksum of what was loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from hashbench.core.canonical import digest_file
from hashbench.core.cell import Cell
from hashbench.core.errors import DataError
from hashbench.methods.interface import Backbone, TrainContext
from hashbench.methods.weights import read_state_dict


def build_backbone(
    cls: type[Backbone], cell: Cell, ctx: TrainContext
) -> tuple[Backbone, str | None]:
    """Build a backbone; the initialisation seed must be set already.

    Args:
        cls: The backbone's class.
        cell: Its parameters, input size and weights.
        ctx: Where the weights' file is, if they come from one.

    Returns:
        The backbone, and the SHA-256 of its weights: of the file, or of the state dict that a tag
        gave; None without weights.

    Raises:
        DataError: If the weights cannot be had, do not fit, or are not those the matrix named.
    """
    params = cls.Params(**(cell.backbone.params if cell.backbone else {}))
    backbone = cls(params, image_size=cell.data.image_size)
    if not cell.weights.pretrained:
        return backbone, None
    if cell.weights.sha256 is None:
        state = cls.fetch_pretrained(params, cell.weights.source)
        backbone.load_pretrained(state)
        return backbone, state_sha256(state)
    backbone.load_pretrained(_read_checked(cell, ctx))
    return backbone, cell.weights.sha256


def _read_checked(cell: Cell, ctx: TrainContext) -> dict[str, Tensor]:
    if ctx.weights is None:
        raise ValueError(f"the job does not say where the weights {cell.weights.sha256} are")
    if ctx.weights.is_file() and digest_file(ctx.weights) != cell.weights.sha256:
        raise DataError(f"weights {ctx.weights}: the file was changed after the run was started")
    return read_state_dict(ctx.weights)


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of a state dict, sorted by name.

    Example:
        >>> state_sha256({"a": torch.zeros(2)}) == state_sha256({"a": torch.zeros(2)})
        True
    """
    sha = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        sha.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
