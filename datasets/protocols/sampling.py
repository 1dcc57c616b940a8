"""The sampling rules that cut a single-label dataset by class, and the one that reads lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.interface import Split
from hashbench.datasets.labels import first_labels
from hashbench.datasets.protocols.shuffle import first_of_classes, seeded_order
from hashbench.datasets.reading.index_list import read_index_list

ROLES = ("query", "train", "database")
_UNSEEN = "unseen-classes"


class SamplingRule(Protocol):
    """A rule that splits a dataset into the lists of a protocol."""

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Split a dataset.

        Args:
            labels: uint8 (N, classes), multi-hot.

        Returns:
            Rising positions of each role.

        Raises:
            DataError: If the labels do not suit the rule, or there are too few images.
        """


@dataclass(frozen=True, slots=True)
class Draw:
    """How one role is drawn.

    Attributes:
        part: Positions to draw from, as first and one past the last; None for the whole dataset.
        per_class: Images of each class; None for all of them.
        without: Earlier roles whose images are left out.
    """

    part: tuple[int, int] | None = None
    per_class: int | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PerClass:
    """The rule ``per-class``: each role takes the first images of every class in a seeded order.

    The roles query, train and database are drawn in this sequence from one order, so with
    ``without`` a role continues where the one before stopped.

    Attributes:
        seed: Seed of the order.
        draws: A `Draw` for each role.
    """

    seed: int
    draws: Mapping[str, Draw]

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Split a dataset with one label an image; see `SamplingRule.split`."""
        classes = dict.fromkeys(ROLES, np.arange(labels.shape[1], dtype=np.int64))
        return _by_class(labels, self.seed, self.draws, classes=classes, rule="per-class")


@dataclass(frozen=True, slots=True)
class UnseenClasses:
    """The rule ``unseen-classes``: queries and database have classes that training never saw.

    The classes are put into a seeded order; the first ``unseen`` are for queries and database, the
    others for training. Each role then takes the first images of its classes, as in `PerClass`.

    Attributes:
        seed: Seed of both orders.
        unseen: Number of classes held back from training.
        draws: A `Draw` for each role.
    """

    seed: int
    unseen: int
    draws: Mapping[str, Draw]

    def unseen_classes(self, classes: int) -> NDArray[np.int64]:
        """Draw the classes that are held back from training, as int64 (unseen,) rising columns.

        Raises:
            DataError: If no class would be left for training.
        """
        if self.unseen >= classes:
            raise DataError(
                f"sampling rule {_UNSEEN}: expected fewer unseen classes than the dataset's "
                f"{classes}, found {self.unseen}"
            )
        return np.sort(seeded_order(classes, self.seed, purpose=_UNSEEN)[: self.unseen])

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Split a dataset with one label an image; see `SamplingRule.split`."""
        unseen = self.unseen_classes(labels.shape[1])
        seen = np.setdiff1d(np.arange(labels.shape[1], dtype=np.int64), unseen)
        classes = {"query": unseen, "train": seen, "database": unseen}
        return _by_class(labels, self.seed, self.draws, classes=classes, rule=_UNSEEN)


@dataclass(frozen=True, slots=True)
class IndexLists:
    """The rule ``lists``: the positions are in files beside the protocol.

    Attributes:
        folder: The folder of the files.
        files: File name by role.
    """

    folder: Path
    files: Mapping[str, str]

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Read the lists, and check that no position is N or more; see `SamplingRule.split`."""
        lists = {role: read_index_list(self.folder / self.files[role]) for role in ROLES}
        for role, positions in lists.items():
            if len(positions) and positions[-1] >= len(labels):
                raise DataError(
                    f"{self.folder / self.files[role]}: expected positions below {len(labels)} "
                    f"(the number of images), found {positions[-1]}"
                )
        return Split(**lists)


def _by_class(
    labels: NDArray[np.uint8],
    seed: int,
    draws: Mapping[str, Draw],
    *,
    classes: Mapping[str, NDArray[np.int64]],
    rule: str,
) -> Split:
    """Draw the roles in sequence, each from its classes, all from one seeded order."""
    several = int(np.count_nonzero(labels.sum(axis=1) != 1))
    if several:
        raise DataError(
            f"sampling rule {rule}: expected one label an image, found {several} images with none "
            f"or several"
        )
    order = seeded_order(len(labels), seed, purpose="protocol")
    numbers = first_labels(labels)
    lists: dict[str, NDArray[np.int64]] = {}
    for role in ROLES:
        where = f"sampling rule {rule}: {role}"
        eligible = _eligible(draws[role], len(labels), taken=lists, where=where)
        eligible &= np.isin(numbers, classes[role])
        candidates = order[eligible[order]]
        per_class = draws[role].per_class
        if per_class is None:
            lists[role] = np.sort(candidates)
            continue
        sizes = dict.fromkeys(classes[role].tolist(), per_class)
        _check_enough(numbers[candidates], sizes, where=where)
        lists[role] = first_of_classes(candidates, numbers[candidates], sizes=sizes)
    return Split(**lists)


def _eligible(
    draw: Draw, images: int, *, taken: Mapping[str, NDArray[np.int64]], where: str
) -> NDArray[np.bool_]:
    """Mark the images of a role's part that no earlier role has taken."""
    first, end = draw.part or (0, images)
    if end > images:
        raise DataError(
            f"{where} is drawn from positions {first} to {end - 1}, but there are {images} images"
        )
    eligible = np.zeros(images, dtype=np.bool_)
    eligible[first:end] = True
    for other in draw.without:
        eligible[taken[other]] = False
    return eligible


def _check_enough(numbers: NDArray[np.int64], sizes: Mapping[int, int], *, where: str) -> None:
    for number, size in sizes.items():
        found = np.count_nonzero(numbers == number)
        if found < size:
            raise DataError(
                f"{where} takes {size} images of each class, but class {number} has {found}"
            )
