"""Several losses by one name: a matrix may name a group where it names a loss."""

from __future__ import annotations

from typing import ClassVar

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind


class LossGroup:
    """Base of all groups; imports no torch, so that a matrix can be read without it.

    A group stands for its losses, each with its defaults; whoever wants other parameters names the
    loss itself.

    Attributes:
        KIND: For plugin files.
        Params: None: a group takes no parameters.
        info: The group's card.
        losses: The names of its losses, in the order in which they run.
    """

    KIND: ClassVar[Kind] = Kind.LOSS_GROUP
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]
    losses: ClassVar[tuple[str, ...]]


class Classic4(LossGroup):
    """DSH, HashNet, CSQ and DPN: our reading of the thesis's four classic hashing losses.

    The thesis that HSC comes from compares it with models "based on classic deep hash loss", four
    of them, and names none in what is public. All four here train on single- and multi-label data,
    as both its data sets need; GreedyHash or IDHN in the place of one is the next likely reading.
    """

    info = ComponentInfo(
        title="Four classic losses",
        paper="compared with HSC by Huang, master's thesis Deep Hash Image Retrieval Based On "
        "Vision Transformer",
        citation="huang2023hsc",
        supervision=Supervision.LABELS,
    )
    losses = ("dsh", "hashnet", "csq", "dpn")
