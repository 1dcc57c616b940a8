"""Fixtures of the conformance tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Restore the arithmetic mode and threads of the process."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)
