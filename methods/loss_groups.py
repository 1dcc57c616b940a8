"""Groups of losses: a matrix may name a group in the place of a loss."""

from __future__ import annotations

from typing import ClassVar

from hashbench.core.info import ComponentInfo, Supervision
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind


class LossGroup:
    """Base of the groups of losses, each of which is trained with its default parameters.

    Attributes:
        KIND: The kind of component, by which a plugin file's classes are found.
        Params: Empty: a group takes no parameters.
        info: Title, paper and citation.
        losses: The names of its losses, in the order in which they run.
    """

    KIND: ClassVar[Kind] = Kind.LOSS_GROUP
    Params: ClassVar[type[BaseParams]] = BaseParams
    info: ClassVar[ComponentInfo]
    losses: ClassVar[tuple[str, ...]]


class Classic4(LossGroup):
    """DSH, HashNet, CSQ and DPN: our reading of the thesis's four classic hashing losses.

    The thesis that introduces HSC compares it with four models "based on classic deep hash loss",
    and what is public of it names none. All four here train on single- and multi-label data, as
    its two data sets need; GreedyHash or IDHN in the place of one is the next likely reading.
    """

    info = ComponentInfo(
        title="Four classic losses",
        paper="compared with HSC by Huang, master's thesis Deep Hash Image Retrieval Based On "
        "Vision Transformer",
        citation="huang2023hsc",
        supervision=Supervision.LABELS,
    )
    losses = ("dsh", "hashnet", "csq", "dpn")
