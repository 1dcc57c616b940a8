"""From a network's outputs to codes."""

from __future__ import annotations

import torch
from torch import nn

from hashbench.core.codes import Codes
from hashbench.methods.interface import DivergedError, ImageStream
from hashbench.training.network import run_over


def encode_outputs(network: nn.Module, images: ImageStream) -> Codes:
    """Codes of all images: the sign of the head's outputs, sgn(0) = +1.

    Raises:
        DivergedError: If an output is NaN or infinite.
    """
    outputs = run_over(network, images, lambda pair: pair[0])
    if not bool(torch.isfinite(outputs).all()):
        raise DivergedError("the trained network's outputs are not finite")
    return Codes.from_outputs(outputs.cpu().numpy())
