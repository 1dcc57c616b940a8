"""How many cells run beside each other, and on which device each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one cell.

    Attributes:
        number: Which slot; from 0.
        gpu: The only CUDA device that its cell sees, as CUDA_VISIBLE_DEVICES names it; None where
            there is nothing to choose from.
    """

    number: int
    gpu: str | None = None


def make_slots(wanted: int | Literal["auto"], *, device: str, threads: int) -> tuple[Slot, ...]:
    """The slots of this machine.

    Args:
        wanted: How many, on CUDA for each device; ``auto``: one for each CUDA device, or as many
            as cells of so many threads keep the cores busy.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: Threads of a cell.
    """
    gpus = visible_gpus() if device != "cpu" else []
    if gpus:
        each = 1 if wanted == "auto" else wanted
        # A cell at a time on every device first, then a second one.
        names = [gpu for _ in range(each) for gpu in gpus]
        return tuple(Slot(number, gpu) for number, gpu in enumerate(names))
    cores = len(os.sched_getaffinity(0))
    count = max(1, cores // threads) if wanted == "auto" else wanted
    return tuple(Slot(number) for number in range(count))


def visible_gpus() -> list[str]:
    """The CUDA devices that may be used, as CUDA_VISIBLE_DEVICES names them."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return []  # torch takes seconds to import, and would say the same
    import torch

    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = allowed.split(",") if allowed else [str(number) for number in range(count)]
    return [name.strip() for name in named[:count]]
