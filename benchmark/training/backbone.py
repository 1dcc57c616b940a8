"""Build a cell's backbone and load its first weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from hashbench.core.canonical import digest_file
from hashbench.core.cell import Cell
from hashbench.core.errors import DataError
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.features import evaluating
from hashbench.methods.interface import Backbone, TrainContext
from hashbench.methods.weights import read_state_dict


def build_backbone(
    cls: type[Backbone], cell: Cell, ctx: TrainContext, *, frozen: bool = False
) -> tuple[Backbone, str | None]:
    """Build a backbone; the initialisation seed must be set already.

    The weights of a frozen backbone, which is not trained, have to cover all of it.

    Returns:
        The backbone, and the SHA-256 of its weights (of the file, or of the state dict that a tag
        stands for), or None without weights.

    Raises:
        DataError: If the weights are missing, do not fit, are not those the matrix named, or leave
            parts of a frozen backbone at their random values.
    """
    params = cls.Params(**(cell.backbone.params if cell.backbone else {}))
    backbone = cls(params, image_size=cell.data.image_size)
    fresh = [parameter.detach().clone() for parameter in backbone.new_parameters() if frozen]
    sha256 = _load(backbone, params, cell, ctx)
    if fresh and all(map(torch.equal, backbone.new_parameters(), fresh)):
        name = cell.backbone.name if cell.backbone else cls.__name__
        raise DataError(
            f"weights {cell.weights.source}: do not hold the new parts of {name}, which would keep "
            f"their random values in a frozen backbone; write train: {{backbone: tuned}}, or drop "
            f"the parts by a preset"
        )
    return backbone, sha256


def _load(backbone: Backbone, params: BaseParams, cell: Cell, ctx: TrainContext) -> str | None:
    if not cell.weights.pretrained:
        return None
    if cell.weights.sha256 is None:
        state = backbone.fetch_pretrained(params, cell.weights.source)
        backbone.load_pretrained(state)
        return state_sha256(state)
    backbone.load_pretrained(_read_checked(cell, ctx))
    return cell.weights.sha256


@torch.no_grad()
def count_tokens(backbone: Backbone, image_size: int) -> int | None:
    """Count the tokens a backbone returns for an image; None if it has no tokens."""
    with evaluating(backbone):
        tokens = backbone(torch.zeros(1, 3, image_size, image_size)).tokens
    return None if tokens is None else int(tokens.shape[1])


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
