"""From a network's outputs to codes."""

from __future__ import annotations

from hashbench.core.codes import Codes
from hashbench.methods.interface import ImageStream
from hashbench.training.network import HashNetwork, run_over


def encode_outputs(network: HashNetwork, images: ImageStream) -> Codes:
    """Codes of all images: the sign of the head's outputs, sgn(0) = +1.

    Raises:
        DataError: If an output is NaN or infinite.
    """
    outputs = run_over(network, images, lambda pair: pair[0])
    return Codes.from_outputs(outputs.cpu().numpy())
