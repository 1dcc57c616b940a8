"""Peak memory of the device in use."""

from __future__ import annotations

import resource

import torch

_KIBIBYTE = 1024


def peak_memory(device: torch.device) -> int:
    """The largest memory in use so far, in bytes: of the card, or of this process on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE
