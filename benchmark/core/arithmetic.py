"""The instruction sets that a process computes with, and the processor, as records state them."""

from __future__ import annotations

import os
import sys
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from hashbench.core.canonical import digest_bytes
from hashbench.core.cell import Cell, Determinism, Precision
from hashbench.core.pinning import LEVEL, first_processor, pins


class Processor(BaseModel):
    """The processor, by the facts that decide which kernels libraries choose.

    Attributes:
        vendor: As the processor names it, e.g. ``AuthenticAMD``.
        family: Family number.
        model: Model number.
        stepping: Stepping number.
        flags_sha256: SHA-256 of the sorted names of its instruction sets and features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str
    family: int
    model: int
    stepping: int
    flags_sha256: str


class Arithmetic(BaseModel):
    """The instruction sets that libraries really used, by their own reports.

    Attributes:
        level: `LEVEL` where everything that computed was held to it, else None.
        torch: Capability of torch's own kernels.
        onednn: Instruction set that oneDNN reports.
        mkl: Number of the code branch that MKL reports (10 is AVX2, 1 is none chosen).
        blas: Architecture whose kernels numpy's linear algebra uses.
        numpy: Highest level of numpy's own kernels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: str | None
    torch: str | None = None
    onednn: str | None = None
    mkl: int | None = None
    blas: str | None = None
    numpy: str | None = None


def processor() -> Processor | None:
    """Describe this machine's processor; None where the system does not tell."""
    facts = first_processor()
    try:
        return Processor(
            vendor=facts["vendor_id"],
            family=int(facts["cpu family"]),
            model=int(facts["model"]),
            stepping=int(facts["stepping"]),
            flags_sha256=digest_bytes(" ".join(sorted(facts["flags"].split())).encode()),
        )
    except (KeyError, ValueError):
        return None


def is_pinned(cell: Cell) -> bool:
    """Whether a cell is to be computed with pinned instruction sets, where the machine can."""
    return cell.determinism is Determinism.STRICT and cell.precision is not Precision.BF16


def worker_environment(cell: Cell) -> dict[str, str]:
    """The environment variables of a process that computes a cell.

    This process's own, with the pins set for a pinned cell. For any other cell a pin that this
    process has is taken out.
    """
    wanted = pins()
    if is_pinned(cell):
        return {**os.environ, **wanted}
    return {key: value for key, value in os.environ.items() if wanted.get(key) != value}


def arithmetic() -> Arithmetic | None:
    """Ask the libraries which instruction sets they use; None in a process without torch."""
    return _reported() if "torch" in sys.modules else None


@lru_cache(maxsize=1)
def _reported() -> Arithmetic:
    import torch

    from hashbench.core.library_levels import blas_level, mkl_level, numpy_level, onednn_level

    found = Arithmetic(
        level=None,
        torch=torch.backends.cpu.get_cpu_capability(),
        onednn=onednn_level(),
        mkl=mkl_level(),
        blas=blas_level(),
        numpy=numpy_level(),
    )
    return found.model_copy(update={"level": LEVEL if _held_to_level(found) else None})


def _held_to_level(found: Arithmetic) -> bool:
    wanted = pins()
    return (
        bool(wanted)
        and all(os.environ.get(key) == value for key, value in wanted.items())
        and found.torch == "AVX2"
        and found.onednn in {"Intel AVX2", None}
        and found.blas in {"Haswell", None}
        and found.numpy in {"X86_V3", "AVX2", None}
    )
