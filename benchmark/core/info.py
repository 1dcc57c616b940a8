"""What a component says about itself: version, paper, supervision, citation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Supervision(StrEnum):
    """What a method learns from."""

    LABELS = "labels"
    NONE = "none"


class LabelKind(StrEnum):
    """The label kinds a method can be trained on."""

    SINGLE = "single-label"
    MULTI = "multi-label"


@dataclass(frozen=True, slots=True)
class ComponentInfo:
    """The card of a backbone, loss, method, dataset or engine.

    Attributes:
        title: The name in prose, e.g. ``Deep Supervised Hashing``.
        version: Raised by hand whenever a change may change a number; part of every fit id.
        paper: Authors, venue and year; empty for what has no paper.
        equation: The equation numbers implemented, where they are known.
        citation: BibTeX key, empty where there is nothing to cite.
        supervision: What it learns from.
        labels: The label kinds it accepts.
        reconstruction: True if no formula was published and ours is built from a description.
    """

    title: str
    version: int = 1
    paper: str = ""
    equation: str = ""
    citation: str = ""
    supervision: Supervision = Supervision.NONE
    labels: frozenset[LabelKind] = frozenset(LabelKind)
    reconstruction: bool = False
