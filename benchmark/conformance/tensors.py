"""Tensors of a module that it does not know of: they are neither moved nor checkpointed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

_TORCHS_OWN = ("_parameters", "_buffers", "_modules")


def unregistered(module: nn.Module, *, known: Iterable[Tensor | None] = ()) -> dict[str, Tensor]:
    """Plain tensors among a module's attributes, and inside lists, tuples and dicts of them.

    Args:
        module: The module; its sub-modules are looked at too.
        known: Tensors that may be kept as they are: what the harness itself gave.

    Returns:
        Tensors by place.
    """
    allowed = {id(tensor) for tensor in known}
    found = {}
    for name, part in module.named_modules():
        attributes = {k: v for k, v in vars(part).items() if k not in _TORCHS_OWN}
        for place, tensor in _tensors(attributes, name):
            if id(tensor) not in allowed:
                found[place] = tensor
    return found


def _tensors(value: Any, place: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _tensors(inner, f"{place}[{number}]")
