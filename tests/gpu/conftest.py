"""The device that the CUDA tests run on."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture
def device() -> torch.device:
    """CUDA, or what HASHBENCH_TEST_DEVICE names; without either the test is skipped."""
    name = os.environ.get("HASHBENCH_TEST_DEVICE", "cuda")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device(name)
