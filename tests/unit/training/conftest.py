"""Fixtures of the training tests: settings, images, and restoring the arithmetic mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hashbench.core.cell import Schedule, TrainSettings


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Restore the arithmetic mode and threads of the process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


@pytest.fixture
def settings() -> Callable[..., TrainSettings]:
    """Return a maker of training settings."""
    base = TrainSettings(
        recipe="ours",
        modified=(),
        optimiser="adam",
        lr=1e-2,
        backbone_lr=1e-3,
        weight_decay=0.0,
        momentum=0.0,
        nesterov=False,
        schedule=Schedule("constant"),
        epochs=2,
        batch_size=4,
        augmentation="none",
    )

    def make(**changes: Any) -> TrainSettings:
        return replace(base, **changes)

    return make


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    """Return seven smooth grey images of 16 x 16."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (7, 4, 4)).astype(np.uint8)
    return np.kron(coarse, np.ones((1, 4, 4), dtype=np.uint8)).astype(np.uint8)
