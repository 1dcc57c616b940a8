"""Loading a published state dict into a trunk, strictly, with errors that name the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn

from hashbench.core.errors import DataError

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
    """Copy a state dict into a trunk; every tensor of the trunk must be there, and no other.

    Published layouts and what the backbone's own ``state_dict()`` gives are both understood.
    BatchNorm's step counters, which old files lack and inference ignores, may be missing.

    Args:
        trunk: Changed in place, and only if everything fits.
        state: Tensors by name; floating ones are cast to the trunk's dtype.
        name: The backbone's name, for errors.
        classifier: Key prefixes of the published classifier, which is dropped.
        added: Key prefixes of modules that no published file has; these may be missing as a whole.

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


def nothing_published(name: str, tag: str) -> DataError:
    """The error for asking a network that only exists here for published weights."""
    return DataError(
        f"weights {tag}: {name} has no published weights; write weights: none or a file"
    )


def bare_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the prefix that a backbone's own ``state_dict()`` puts before its trunk's keys."""
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
