"""Check that all tensors of a module move to another device with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from hashbench.conformance.findings import expect
from hashbench.conformance.training import Trial

_TORCHS_OWN = ("_parameters", "_buffers", "_modules")


def moves_to_a_device(
    module: nn.Module, trial: Trial, *, known: Iterable[Tensor | None] = ()
) -> str:
    """Move a module to the device 'meta', and train on a CUDA device if there is one.

    Afterwards the module's tensors have no values. It may keep ``known`` tensors of the harness as
    plain attributes.

    Raises:
        NotConformingError: If a tensor does not move.
    """
    plain = [name for name, tensor in unregistered(module, known).items() if tensor.numel() > 1]
    expect(not plain, f"would stay behind: self.{', self.'.join(sorted(plain))}")
    moved = module.to("meta")
    tensors = [*moved.parameters(), *moved.buffers()]
    expect(all(tensor.is_meta for tensor in tensors), "a parameter or buffer did not move")
    return f"{len(tensors)} tensors moved to 'meta'; {_trained_on_cuda(trial)}"


def _trained_on_cuda(trial: Trial) -> str:
    if not torch.cuda.is_available():
        return "no CUDA device here, so no step on one"
    with TemporaryDirectory() as name:
        trial.train(Path(name), device=torch.device("cuda"))
    return f"{trial.epochs} epochs on {torch.cuda.get_device_name()}"


def unregistered(module: nn.Module, known: Iterable[Tensor | None] = ()) -> dict[str, Tensor]:
    """Find tensors that are neither parameters nor buffers, so neither moved nor checkpointed.

    Looks at the attributes of a module and its sub-modules, and inside lists, tuples and dicts.
    Tensors that are ``known`` are left out.

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
