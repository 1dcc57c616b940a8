"""Controls: the settings that must be equal in the two cells that a claim compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from hashbench.core.cell import Cell, Weights

ControlName = Literal[
    "pretraining",
    "neck",
    "last_layer",
    "image_size",
    "normalisation",
    "mode",
    "recipe",
    "epochs",
    "batch_size",
    "augmentation",
    "prepass",
    "validation",
    "precision",
]

_CORPUS = re.compile(r"(?:in|imagenet)-?(1k|12k|21k|22k)|laion[0-9a-z]*|openai|lvd142m", re.I)
_OWN_CONTROL = {"epochs", "augmentation", "prepass", "batch_size", "validation", "backbone"}


def pretraining(weights: Weights) -> str:
    """The image sets that first weights were trained on, as far as their tag names them.

    Example:
        >>> pretraining(Weights("timm/vit_base_patch16_224.augreg_in21k_ft_in1k"))
        '1k 21k'
        >>> pretraining(Weights())
        'from scratch'
    """
    if not weights.pretrained:
        return "from scratch"
    found = {(match[1] or match[0]).lower() for match in _CORPUS.finditer(weights.source)}
    # A tag that names no image set counts as a set of its own, and so does a file.
    return " ".join(sorted(found)) or weights.sha256 or weights.source


def _recipe(cell: Cell) -> Any:
    """The recipe and the keys that depart from it, without those that are controls themselves."""
    train = cell.train
    if train is None:
        return None
    return train.recipe, [
        (key, getattr(train, key, None)) for key in train.modified if key not in _OWN_CONTROL
    ]


def _train(key: str) -> Callable[[Cell], Any]:
    return lambda cell: getattr(cell.train, key, None)


# None: the cell has no such setting (a shallow method has no recipe), so it cannot be unequal.
_READ: Final[Mapping[str, Callable[[Cell], Any]]] = {
    "pretraining": lambda cell: pretraining(cell.weights),
    "neck": lambda cell: cell.head.neck if cell.head else None,
    "last_layer": lambda cell: cell.head.last_layer if cell.head else None,
    "image_size": lambda cell: cell.data.image_size,
    "normalisation": lambda cell: cell.data.normalisation,
    "mode": _train("backbone"),
    "recipe": _recipe,
    "epochs": _train("epochs"),
    "batch_size": _train("batch_size"),
    "augmentation": _train("augmentation"),
    "prepass": _train("prepass"),
    "validation": lambda cell: (cell.train.validation,) if cell.train else None,
    "precision": lambda cell: cell.precision,
}


def broken_controls(one: Cell, other: Cell, names: Sequence[str]) -> list[str]:
    """The controls, among those named, that differ between two cells."""
    pairs = ((name, _READ[name](one), _READ[name](other)) for name in names)
    return [name for name, a, b in pairs if a is not None and b is not None and a != b]
