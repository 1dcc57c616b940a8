"""The instruction sets that loaded libraries report; each function gives None where one does not.

Call these only in a process in which torch and numpy are loaded.
"""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from importlib import import_module
from pathlib import Path

_NUMPY_LEVELS = ("AVX512_SPR", "AVX512_ICL", "X86_V4", "AVX512_SKX", "AVX512F", "X86_V3", "AVX2")
_ONEDNN_LINE = re.compile(r"onednn_verbose,.*?info,cpu,isa:(.*)")
_MKL_BRANCH = -1  # asks MKL for the code branch that it uses


def onednn_level() -> str | None:
    """The instruction set that oneDNN names when it is told to report what it does.

    It prints this once in a process, to the standard output, which goes to a file meanwhile.
    """
    import torch

    onednn = torch.backends.mkldnn
    if not onednn.is_available():  # type: ignore[no-untyped-call] # torch has no types for it
        return None
    libc = ctypes.CDLL(None)
    libc.fflush(None)
    kept = os.dup(1)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        try:
            with onednn.verbose(onednn.VERBOSE_ON):  # type: ignore[no-untyped-call] # the same
                torch.zeros(1, 8, 2, 2).to_mkldnn()
        finally:
            libc.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
        output.seek(0)
        found = _ONEDNN_LINE.search(output.read().decode(errors="replace"))
    return found[1].strip() if found else None


def mkl_level() -> int | None:
    """The number of the code branch that MKL uses."""
    import torch

    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        return int(ctypes.CDLL(str(library)).mkl_serv_cbwr_get(_MKL_BRANCH))
    except (OSError, AttributeError):
        return None


def blas_level() -> str | None:
    """The architecture whose kernels numpy's OpenBLAS uses."""
    from threadpoolctl import threadpool_info

    levels = {info.get("architecture") for info in threadpool_info() if "architecture" in info}
    return "+".join(sorted(str(level) for level in levels)) or None


def numpy_level() -> str | None:
    """The highest level among numpy's own kernels that is in use."""
    # numpy tells this nowhere else as data.
    kernels = import_module("numpy._core._multiarray_umath")
    features = kernels.__cpu_features__
    dispatched = {*kernels.__cpu_dispatch__, *kernels.__cpu_baseline__}
    return next((name for name in _NUMPY_LEVELS if name in dispatched and features.get(name)), None)
