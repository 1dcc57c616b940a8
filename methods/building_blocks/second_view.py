"""The second view of a batch, for losses that cannot do without it."""

from __future__ import annotations

from torch import Tensor

from hashbench.methods.interface import HashBatch


def second_view(batch: HashBatch) -> Tensor:
    """The outputs of the second view.

    Args:
        batch: What the harness gave; it fills the second view for a loss whose ``needs.views``
            is 2.

    Returns:
        (n, bits), with gradient.

    Raises:
        ValueError: If there is no second view.
    """
    if batch.second is None:
        raise ValueError("the loss compares two views of an image, and the batch has only one")
    return batch.second
