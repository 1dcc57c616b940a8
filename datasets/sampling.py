"""The rules by which a protocol cuts a dataset into query, train and database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.index_list import read_index_list
from hashbench.datasets.interface import Split
from hashbench.datasets.labels import first_labels
from hashbench.datasets.shuffle import shuffled

ROLES = ("query", "train", "database")


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
        several = int(np.count_nonzero(labels.sum(axis=1) != 1))
        if several:
            raise DataError(
                f"sampling rule per-class: expected one label an image, found {several} images "
                f"with none or several"
            )
        order = shuffled(np.arange(len(labels), dtype=np.int64), self.seed, purpose="protocol")
        lists: dict[str, NDArray[np.int64]] = {}
        for role in ROLES:
            lists[role] = self._draw(role, order, labels=labels, taken=lists)
        return Split(**lists)

    def _draw(
        self,
        role: str,
        order: NDArray[np.int64],
        *,
        labels: NDArray[np.uint8],
        taken: Mapping[str, NDArray[np.int64]],
    ) -> NDArray[np.int64]:
        draw = self.draws[role]
        eligible = np.zeros(len(labels), dtype=np.bool_)
        first, end = draw.part or (0, len(labels))
        if end > len(labels):
            raise DataError(
                f"sampling rule per-class: {role} is drawn from positions {first} to {end - 1}, "
                f"but there are {len(labels)} images"
            )
        eligible[first:end] = True
        for other in draw.without:
            eligible[taken[other]] = False
        candidates = order[eligible[order]]
        if draw.per_class is None:
            return np.sort(candidates)
        return _fronts(candidates, labels, role=role, per_class=draw.per_class)


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


def _fronts(
    candidates: NDArray[np.int64], labels: NDArray[np.uint8], *, role: str, per_class: int
) -> NDArray[np.int64]:
    numbers = first_labels(labels[candidates])
    counts = np.bincount(numbers, minlength=labels.shape[1])
    if counts.min() < per_class:
        raise DataError(
            f"sampling rule per-class: {role} takes {per_class} images of each class, but class "
            f"{counts.argmin()} has {counts.min()}"
        )
    fronts = [candidates[numbers == number][:per_class] for number in range(labels.shape[1])]
    return np.sort(np.concatenate(fronts))
