"""The rules by which a protocol cuts a dataset into query, train and database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.interface import Split
from hashbench.datasets.labels import first_labels
from hashbench.datasets.protocols.shuffle import shuffled
from hashbench.datasets.reading.index_list import read_index_list

ROLES = ("query", "train", "database")
_UNSEEN = "unseen-classes"


@dataclass(frozen=True, slots=True)
class Draw:
    """How one role is drawn.

    Attributes:
        part: Positions it is drawn from, first and one past the last; None for the whole dataset.
        per_class: Images of each class; None for all of them.
        without: Roles drawn before whose images are left out.
    """

    part: tuple[int, int] | None = None
    per_class: int | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PerClass:
    """The rule ``per-class``: every class is put into a seeded order, each role takes the front.

    The roles are drawn as query, train, database, from one order, so with ``without`` the next
    role goes on where the one before stopped.

    Attributes:
        seed: Seed of the order.
        draws: A `Draw` for each role.
    """

    seed: int
    draws: Mapping[str, Draw]

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Cut a dataset.

        Args:
            labels: uint8 (N, classes), exactly one 1 a row.

        Returns:
            Rising positions of each role.

        Raises:
            DataError: If an image has no or several labels, a part reaches beyond the dataset, or
                a class has too few images.
        """
        everything = np.arange(labels.shape[1], dtype=np.int64)
        classes = dict.fromkeys(ROLES, everything)
        return _by_class(labels, self.seed, self.draws, classes=classes, rule="per-class")


@dataclass(frozen=True, slots=True)
class UnseenClasses:
    """The rule ``unseen-classes``: what is searched is of classes that nothing was learned from.

    The classes are put into a seeded order; the first ``unseen`` are for queries and database, the
    others for training. Each role then takes the front of each of its classes, as in `PerClass`.

    Attributes:
        seed: Seed of both orders.
        unseen: Number of classes held back from training.
        draws: A `Draw` for each role.
    """

    seed: int
    unseen: int
    draws: Mapping[str, Draw]

    def unseen_classes(self, classes: int) -> NDArray[np.int64]:
        """Which classes are held back from training.

        Args:
            classes: Number of classes of the dataset.

        Returns:
            int64 (unseen,), rising columns.

        Raises:
            DataError: If none would be left for training.
        """
        if self.unseen >= classes:
            raise DataError(
                f"sampling rule {_UNSEEN}: expected fewer unseen classes than the {classes} there "
                f"are, found {self.unseen}"
            )
        order = shuffled(np.arange(classes, dtype=np.int64), self.seed, purpose=_UNSEEN)
        return np.sort(order[: self.unseen])

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Cut a dataset.

        Args:
            labels: uint8 (N, classes), exactly one 1 a row.

        Returns:
            Rising positions of each role.

        Raises:
            DataError: As `PerClass.split`, or if no class would be left for training.
        """
        unseen = self.unseen_classes(labels.shape[1])
        seen = np.setdiff1d(np.arange(labels.shape[1], dtype=np.int64), unseen)
        classes = {"query": unseen, "train": seen, "database": unseen}
        return _by_class(labels, self.seed, self.draws, classes=classes, rule=_UNSEEN)


@dataclass(frozen=True, slots=True)
class IndexLists:
    """The rule ``lists``: positions are kept in files beside the protocol.

    Attributes:
        folder: Where they are.
        files: File name by role.
    """

    folder: Path
    files: Mapping[str, str]

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Read the lists.

        Args:
            labels: uint8 (N, classes); only N matters.

        Returns:
            Rising positions of each role.

        Raises:
            DataError: If a list is missing or malformed, or a position is beyond the dataset.
        """
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
    """Draw the roles in turn, each from its classes, all from one seeded order of the images."""
    several = int(np.count_nonzero(labels.sum(axis=1) != 1))
    if several:
        raise DataError(
            f"sampling rule {rule}: expected one label an image, found {several} images with none "
            f"or several"
        )
    order = shuffled(np.arange(len(labels), dtype=np.int64), seed, purpose="protocol")
    numbers = first_labels(labels)
    lists: dict[str, NDArray[np.int64]] = {}
    for role in ROLES:
        where = f"sampling rule {rule}: {role}"
        eligible = _eligible(draws[role], len(labels), taken=lists, where=where)
        eligible &= np.isin(numbers, classes[role])
        candidates = order[eligible[order]]
        per_class = draws[role].per_class
        if per_class is not None:
            candidates = _fronts(
                candidates, numbers, classes[role], per_class=per_class, where=where
            )
        lists[role] = np.sort(candidates)
    return Split(**lists)


def _eligible(
    draw: Draw, images: int, *, taken: Mapping[str, NDArray[np.int64]], where: str
) -> NDArray[np.bool_]:
    """Which images a role may take: those of its part that no other role has taken before."""
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


def _fronts(
    candidates: NDArray[np.int64],
    numbers: NDArray[np.int64],
    classes: NDArray[np.int64],
    *,
    per_class: int,
    where: str,
) -> NDArray[np.int64]:
    """The first ``per_class`` candidates of each class."""
    fronts = []
    for number in classes:
        members = candidates[numbers[candidates] == number]
        if len(members) < per_class:
            raise DataError(
                f"{where} takes {per_class} images of each class, but class {number} has "
                f"{len(members)}"
            )
        fronts.append(members[:per_class])
    return np.concatenate(fronts)
