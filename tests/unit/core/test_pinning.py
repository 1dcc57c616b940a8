"""Strict cells are computed with instruction sets that every machine with AVX2 has."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from hashbench.core import pinning
from hashbench.core.arithmetic import Arithmetic, is_pinned, processor, worker_environment
from hashbench.core.cell import Cell, Determinism, Precision
from hashbench.core.environment import capture
from hashbench.core.pinning import LEVEL, can_pin, pins

NEEDS_AVX2 = pytest.mark.skipif(not can_pin(), reason="this processor has no AVX2")

REPORT = (
    "from hashbench.core.arithmetic import arithmetic\n"
    "import torch\n"
    "print(arithmetic().model_dump_json())"
)
RESTART = (
    "from hashbench.core.pinning import restart_pinned\n"
    "restart_pinned()\n"
    "import os, sys\n"
    "print(os.environ['MKL_CBWR'], *sys.argv[1:])"
)


def run(program: str, *words: str, **variables: str) -> str:
    bare = {key: value for key, value in os.environ.items() if key not in pins()}
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**bare, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@NEEDS_AVX2
def test_libraries_report_the_pinned_level_where_all_pins_are_set() -> None:
    found = Arithmetic.model_validate_json(run(REPORT, **pins()))

    assert (found.level, found.torch, found.onednn) == (LEVEL, "AVX2", "Intel AVX2")
    assert found.blas == "Haswell"


@NEEDS_AVX2
@pytest.mark.parametrize("missing", ["ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE"])
def test_no_level_is_stated_where_one_pin_is_missing(missing: str) -> None:
    some = {key: value for key, value in pins().items() if key != missing}

    assert Arithmetic.model_validate_json(run(REPORT, **some)).level is None


@NEEDS_AVX2
def test_a_program_is_started_anew_with_the_pins_and_its_own_arguments() -> None:
    assert run(RESTART, "one", "two words") == "AVX2 one two words\n"


def test_importing_hashbench_changes_no_environment_variable() -> None:
    program = "import os; before = dict(os.environ); import hashbench, hashbench.cli\n"
    assert run(program + "print(dict(os.environ) == before)") == "True\n"


def test_fast_mode_and_bfloat16_are_not_pinned(cell: Cell) -> None:
    strict = replace(cell, determinism=Determinism.STRICT, precision=Precision.FP32)

    assert is_pinned(strict)
    assert not is_pinned(replace(strict, determinism=Determinism.FAST))
    assert not is_pinned(replace(strict, precision=Precision.BF16))


@NEEDS_AVX2
def test_the_process_of_an_unpinned_cell_does_not_inherit_pins(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in pins().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")  # the user's own, which is no pin
    fast = worker_environment(replace(cell, determinism=Determinism.FAST))
    strict = worker_environment(replace(cell, determinism=Determinism.STRICT))

    assert "ATEN_CPU_CAPABILITY" not in fast
    assert fast["MKL_CBWR"] == "COMPATIBLE"
    assert pins().items() <= strict.items()


def test_a_processor_without_avx2_is_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinning, "first_processor", lambda: {"flags": "sse4_2 avx"})

    assert pins() == {}


@pytest.mark.parametrize(
    ("version", "feature"), [("2.3.9", "AVX512_SKX"), ("2.4.0", "X86_V4"), ("3.0.1", "X86_V4")]
)
def test_numpys_features_are_named_as_its_version_names_them(
    version: str, feature: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinning, "can_pin", lambda: True)
    monkeypatch.setattr(pinning.metadata, "version", lambda _: version)

    assert feature in pins()["NPY_DISABLE_CPU_FEATURES"].split()


def test_a_record_states_the_processor_and_the_levels_that_took_effect() -> None:
    import torch

    found = capture(device="cpu", threads=torch.get_num_threads())

    assert found.processor == processor()
    assert found.arithmetic is not None
    assert found.arithmetic.torch == torch.backends.cpu.get_cpu_capability()
