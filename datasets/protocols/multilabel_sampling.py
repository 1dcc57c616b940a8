"""The sampling rules for multi-label datasets: ``random`` and ``walk``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, PositiveInt

from hashbench.core.errors import DataError
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.shuffle import seeded_order

_DATABASE, _TRAIN, _QUERY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _SeededDraw:
    """The settings of both rules, which are also the keys of the ``[sampling]`` table.

    The database is all images that are not queries and, unless ``train_in_database``, not for
    training.

    Attributes:
        seed: Seed of the order in which the images are taken.
        query: Number of queries.
        train: Number of training images.
        train_in_database: Whether training images are searched too.
        labelled_only: Leave images without a label out of every role.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    seed: int
    query: PositiveInt
    train: PositiveInt
    train_in_database: bool
    labelled_only: bool = False

    def order(self, labels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the positions of the images in the seeded order."""
        order = seeded_order(len(labels), self.seed, purpose="protocol")
        return order[labels[order].any(axis=1)] if self.labelled_only else order


@dataclass(frozen=True, slots=True)
class RandomDraw(_SeededDraw):
    """The rule ``random``: the front of a seeded order is for queries, what follows for training.

    Labels do not matter, except that ``labelled_only`` leaves out images without any.
    """

    rule: Literal["random"] = "random"

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Split a dataset, with one image at least in the database; see `SamplingRule.split`."""
        order = self.order(labels)
        drawn = self.query + self.train
        first = self.query if self.train_in_database else drawn
        if len(order) <= max(first, drawn - 1):
            raise DataError(
                f"sampling rule random: expected more images than the {drawn} queries and "
                f"training images, found {len(order)}"
            )
        return Split(
            query=np.sort(order[: self.query]),
            train=np.sort(order[self.query : drawn]),
            database=np.sort(order[first:]),
        )


@dataclass(frozen=True, slots=True)
class Walk(_SeededDraw):
    """The rule ``walk``: each image of a seeded order goes to the role that still needs its label.

    ``query`` and ``train`` are numbers for each label. An image goes to training if one of its
    labels still needs a training image, else to the queries if one still needs a query, and counts
    for the first such label only. So each role has its number times the number of labels, and
    frequent labels end up with more than their share.
    """

    rule: Literal["walk"] = "walk"

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Split a dataset in which each label is on enough images; see `SamplingRule.split`."""
        order = self.order(labels)
        needs = {_TRAIN: self.train, _QUERY: self.query}
        left = {role: [need] * labels.shape[1] for role, need in needs.items()}
        roles = np.full(len(order), _DATABASE, dtype=np.int8)
        missing = sum(needs.values()) * labels.shape[1]
        for place, position in enumerate(order):
            if not missing:
                break
            roles[place] = _role(np.flatnonzero(labels[position]).tolist(), left)
            missing -= roles[place] != _DATABASE
        _check_none_left(left)
        searched = (_DATABASE, _TRAIN) if self.train_in_database else (_DATABASE,)
        return Split(
            query=np.sort(order[roles == _QUERY]),
            train=np.sort(order[roles == _TRAIN]),
            database=np.sort(order[np.isin(roles, searched)]),
        )


def _role(labels: list[int], left: dict[int, list[int]]) -> int:
    """Choose the role of one image, and count down the number its label still needs."""
    for role in (_TRAIN, _QUERY):
        for label in labels:
            if left[role][label]:
                left[role][label] -= 1
                return role
    return _DATABASE


def _check_none_left(left: dict[int, list[int]]) -> None:
    for role, name in ((_TRAIN, "training images"), (_QUERY, "queries")):
        for label, missing in enumerate(left[role]):
            if missing:
                raise DataError(
                    f"sampling rule walk: label {label} is on too few images: {missing} more "
                    f"{name} are needed"
                )
