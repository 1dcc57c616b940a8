"""A loss of another package; for tests only."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from hashbench.plugin import (
    ComponentInfo,
    HashBatch,
    HashLoss,
    LossContext,
    LossTerms,
    Supervision,
)


class SecondLoss(HashLoss):
    """Outputs are drawn to the signs of a Hadamard-like pattern of their class."""

    info: ClassVar[ComponentInfo] = ComponentInfo(
        "Second loss", paper="Nobody, 2030", citation="nobody2030", supervision=Supervision.LABELS
    )
    targets: Tensor

    def setup(self, ctx: LossContext) -> None:
        """Make the targets (classes, bits)."""
        classes = ctx.labels.shape[1]
        bits = [[1.0 if (c >> (k % classes)) & 1 else -1.0 for k in range(ctx.bits)]
                for c in range(1, classes + 1)]  # fmt: skip
        self.register_buffer("targets", ctx.labels.new_tensor(bits))

    def forward(self, batch: HashBatch) -> LossTerms:
        """The loss of one batch."""
        wanted = (batch.labels @ self.targets).sign()
        return LossTerms({"pull": (batch.outputs - wanted).square().mean()})
