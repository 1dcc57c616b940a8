"""Pinned instruction sets: every library is held to AVX2 in strict mode.

Libraries choose their kernels by the processor, and kernels of different instruction sets add in
different orders. In strict mode no library may use more than AVX2, whatever the processor has and
the user's shell allows. Libraries read these settings once, when they are loaded: a process is
started anew to get them.

This removes one cause of unequal codes, not all: an Intel and an AMD processor held to AVX2 still
gave models that differ in their last bits. Equal codes are therefore demanded of processors that
are known to be alike only; see `hashbench.judge.bit_equality`.

Not pinned are fast mode, which guarantees nothing, and bfloat16, which is useless without the
newest instructions (about 1/40 of the speed of float32 on AVX2).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path

LEVEL = "x86-64-v3"
"""The level that strict mode pins: AVX2 and FMA, which nearly all servers since 2015 have."""

_SETTINGS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",  # numpy's and scipy's linear algebra
}
_NUMPY_SETTING = "NPY_DISABLE_CPU_FEATURES"
_NUMPY_NAMES_CHANGED = (2, 4)  # the version in which numpy gave its levels the architecture's names
_NUMPY_FEATURES = "X86_V4 AVX512_ICL AVX512_SPR"
_NUMPY_FEATURES_BEFORE = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
_CPUINFO = Path("/proc/cpuinfo")


@lru_cache(maxsize=1)
def first_processor() -> Mapping[str, str]:
    """Read the lines of /proc/cpuinfo about the first processor, by key; empty without it."""
    try:
        block = _CPUINFO.read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def can_pin() -> bool:
    """Whether this machine has the instructions of `LEVEL`."""
    return {"avx2", "fma"} <= set(first_processor().get("flags", "").split())


def pins() -> dict[str, str]:
    """Environment variables that hold every library to `LEVEL`; empty where this machine cannot."""
    if not can_pin():
        return {}
    version = tuple(int(part) for part in metadata.version("numpy").split(".")[:2])
    features = _NUMPY_FEATURES if version >= _NUMPY_NAMES_CHANGED else _NUMPY_FEATURES_BEFORE
    return {**_SETTINGS, _NUMPY_SETTING: features}


def restart_pinned() -> None:
    """Start this program anew with pinned instruction sets, unless it has them or cannot.

    Call it first of all: what was done before is lost.
    """
    wanted = pins()
    if any(os.environ.get(key) != value for key, value in wanted.items()):
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **wanted})  # noqa: S606 - ourselves
