"""The states of all global generators, as data that a checkpoint can hold."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def global_state() -> dict[str, Any]:
    """The states of the generators of Python, numpy, torch and every CUDA device in use."""
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 - the global one
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call] # torch has no types for it
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else [],
    }


def restore_global_state(state: dict[str, Any]) -> None:
    """Set the generators to what `global_state` gave."""
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - as above
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
