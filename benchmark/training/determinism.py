"""Set a process's arithmetic to repeatable or fast, and seed its generators."""

from __future__ import annotations

import os
import random

import numpy as np
import torch

from hashbench.core.cell import Determinism, Precision


def configure(
    determinism: Determinism, *, threads: int, precision: Precision = Precision.FP32
) -> None:
    """Set the threads and the arithmetic mode of this process; call before any computation.

    Args:
        determinism: ``strict``: deterministic algorithms only, no TF32, no autotuning; ``fast``:
            TF32 and autotuning allowed.
        threads: Threads of one operation; sums are repeatable for one number of threads only.
        precision: ``tf32`` allows TF32 in either mode; it is rounding, and repeatable.
    """
    strict = determinism is Determinism.STRICT
    # In fast mode too: cuBLAS reads it once, and a strict fit may follow in the same process.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    # The same as use_deterministic_algorithms, without importing the compiler, which takes longer
    # than a small cell.
    torch.set_deterministic_debug_mode("error" if strict else "default")
    torch.backends.cudnn.benchmark = not strict
    tf32 = not strict or precision is Precision.TF32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32


def seed_everything(seed: int) -> None:
    """Seed all global generators that a component might draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code draws from the global one
    torch.manual_seed(seed)


def generator(seed: int) -> torch.Generator:
    """Return a CPU generator with its own seed."""
    return torch.Generator().manual_seed(seed)
