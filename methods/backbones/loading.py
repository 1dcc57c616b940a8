"""Strict loading of a published state dict into a trunk, with errors that name the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from hashbench.core.errors import DataError
from hashbench.core.params import BaseParams
from hashbench.methods.interface import Backbone

_SHOWN: Final = 3
_OWN_PREFIX: Final = "trunk."
_COUNTER: Final = "num_batches_tracked"


def load_trunk(
    trunk: nn.Module,
    state: Mapping[str, Tensor],
    *,
    name: str,
    classifier: Sequence[str],
    added: Sequence[str] = (),
) -> None:
    """Copy a state dict into a trunk; it must have every tensor of the trunk, and no other.

    It may be in the published layout or the backbone's own ``state_dict()``. BatchNorm's step
    counters, which old files lack and inference ignores, may be missing.

    Args:
        trunk: Changed in place, and only if everything fits.
        state: Tensors by name; floating ones are cast to the trunk's dtype.
        name: The backbone's name, for errors.
        classifier: Key prefixes of the published classifier, which is dropped.
        added: Key prefixes of modules that published files lack; all of these may be missing.

    Raises:
        DataError: If a tensor is missing, unknown, or of another shape.
    """
    given = bare_keys(state)
    given = {key: value for key, value in given.items() if not key.startswith(tuple(classifier))}
    wanted = trunk.state_dict()
    if added and not any(key.startswith(tuple(added)) for key in given):
        wanted = {k: v for k, v in wanted.items() if not k.startswith(tuple(added))}
    problems = _problems(given, wanted)
    if problems:
        raise DataError(f"weights: do not fit {name}: {'; '.join(problems)}")
    with torch.no_grad():
        for key, value in given.items():
            wanted[key].copy_(value)


class UnpublishedBackbone(Backbone):
    """Base of backbones that have no published weights: ``fetch_pretrained`` refuses every tag.

    Attributes:
        name: The backbone's name, for errors.
    """

    name: ClassVar[str]

    @classmethod
    def fetch_pretrained(cls, params: BaseParams, tag: str) -> Mapping[str, Tensor]:
        """Raise DataError: nothing is published for this network."""
        del params
        raise DataError(
            f"weights {tag}: {cls.name} has no published weights; write weights: none or a file"
        )


def bare_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefix that a backbone's own ``state_dict()`` has before its trunk's keys."""
    own = all(key.startswith(_OWN_PREFIX) for key in state)
    return {key.removeprefix(_OWN_PREFIX) if own else key: value for key, value in state.items()}


def _problems(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    missing = [key for key in wanted if key not in given and not key.endswith(_COUNTER)]
    unknown = [key for key in given if key not in wanted]
    shapes = [
        f"{key} is {tuple(given[key].shape)}, should be {tuple(wanted[key].shape)}"
        for key in given
        if key in wanted and given[key].shape != wanted[key].shape
    ]
    found = (("missing", missing), ("unknown", unknown), ("of another shape", shapes))
    return [f"{what}: {_some(keys)}" for what, keys in found if keys]


def _some(keys: Sequence[str]) -> str:
    more = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
