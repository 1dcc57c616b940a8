"""Strict mode allows only repeatable arithmetic; fast mode allows TF32 and autotuning."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from hashbench.core.cell import Determinism
from hashbench.training.determinism import configure, generator, seed_everything


@pytest.fixture(autouse=True)
def flags_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo the flags of CUDA libraries and the variable for cuBLAS."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


@pytest.mark.parametrize(
    ("mode", "strict"), [(Determinism.STRICT, True), (Determinism.FAST, False)]
)
def test_modes_set_algorithms_tf32_and_threads(mode: Determinism, strict: bool) -> None:
    configure(mode, threads=2)

    assert torch.are_deterministic_algorithms_enabled() is strict
    assert torch.backends.cudnn.benchmark is not strict
    assert torch.backends.cudnn.allow_tf32 is not strict
    assert torch.backends.cuda.matmul.allow_tf32 is not strict
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("first", Determinism)
def test_the_workspace_of_cublas_is_fixed_whichever_mode_comes_first(
    first: Determinism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    configure(first, threads=2)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_a_generator_is_apart_from_the_global_one() -> None:
    seed_everything(7)
    expected = torch.rand(3)

    seed_everything(7)
    own = generator(7)
    torch.rand(5, generator=own)

    assert torch.equal(torch.rand(3), expected)
