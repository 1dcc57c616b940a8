"""Everything that only a CUDA device can show, in one go of at most nine minutes.

Runs the CUDA tests, measures the evaluation, runs a matrix and prints its report. Needs no network:
the package is installed from this checkout without dependencies if it is not there already. Where
there is no CUDA device it says so and ends well. ``--device cpu`` runs every step on the
CPU, to test them.

    python tests/gpu/backlog.py [--matrix FILE] [--store FOLDER] [--device cuda|cpu]
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 9 * 60
TRAINING, TRAINING_SECONDS = "tools/device_training_speed.py", 4 * 60
NO_DEVICE = "no CUDA device"


def main() -> int:
    """Run all steps; the exit code of the first that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--matrix", type=Path, default=ROOT / "matrices" / "gpu.yaml")
    parser.add_argument("--store", type=Path, default=Path("hashbench-store-gpu"))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not has_cuda():
        print(NO_DEVICE)
        return 0
    deadline = time.monotonic() + LIMIT_SECONDS
    for step in steps(options):
        left = deadline - time.monotonic()
        seconds = min(left, TRAINING_SECONDS) if TRAINING in step else left
        code = run(step, device=options.device, seconds=seconds)
        if code:
            return code
    return 0


def has_cuda() -> bool:
    """Whether there is a CUDA device that torch can use."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def steps(options: argparse.Namespace) -> list[list[str]]:
    """The commands, in order."""
    python = sys.executable
    harness = [python, "-c", "from hashbench.cli import main; main()"]
    store = ["--store", str(options.store)]
    scale = ["0.0001"] if options.device == "cpu" else []
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    return [
        *([] if importlib.util.find_spec("hashbench") else [[*install, str(ROOT)]]),
        [python, "-m", "pytest", "-q", "-m", "gpu", str(ROOT / "tests" / "gpu")],
        [python, str(ROOT / "tools" / "device_evaluation_speed.py"), *scale],
        [python, str(ROOT / TRAINING), *(["0.02"] if scale else [])],
        [*harness, "run", str(options.matrix), *store],
        [*harness, "report", "--format", "markdown", "--trace", *store],
    ]


def run(command: list[str], *, device: str, seconds: float) -> int:
    """Run one command within the time that is left."""
    print("+", " ".join(command), flush=True)
    began = time.monotonic()
    environment = {**os.environ, "HASHBENCH_TEST_DEVICE": device}
    environment["PYTHONPATH"] = str(ROOT / "tools")  # whose programs import one another
    try:
        code = subprocess.run(
            command, env=environment, timeout=max(1.0, seconds), check=False
        ).returncode
    except subprocess.TimeoutExpired:
        print(f"stopped: the limit of {max(1.0, seconds):.0f} seconds is reached")
        return 1
    print(f"= exit {code} after {time.monotonic() - began:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
