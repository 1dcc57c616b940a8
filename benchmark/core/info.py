"""The description of a component: version, paper, supervision, citation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Supervision(StrEnum):
    """The supervision that a method needs."""

    LABELS = "labels"
    NONE = "none"


class LabelKind(StrEnum):
    """The kinds of labels that a method can be trained on."""

    SINGLE = "single-label"
    MULTI = "multi-label"


@dataclass(frozen=True, slots=True)
class ComponentInfo:
    """The description of a backbone, loss, method, dataset or engine.

    Attributes:
        title: The name in prose, e.g. ``Deep Supervised Hashing``.
        version: Incremented by hand with each change that may change a number; part of fit ids.
        paper: Authors, venue and year; empty without a paper.
        equation: Numbers of the implemented equations, if known.
        citation: BibTeX key; empty without a paper.
        supervision: The supervision it needs.
        labels: The label kinds it accepts.
        reconstruction: Whether no formula was published, so that it was built from a description.
    """

    title: str
    version: int = 1
    paper: str = ""
    equation: str = ""
    citation: str = ""
    supervision: Supervision = Supervision.NONE
    labels: frozenset[LabelKind] = frozenset(LabelKind)
    reconstruction: bool = False
