"""The sampling rule ``walk``: each label gets its share of a multi-label dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.random_sampling import seeded_order

_DATABASE, _TRAIN, _QUERY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Walk:
    """The rule ``walk``: go through a seeded order and give each image to who still needs it.

    An image goes to training if one of its labels still needs a training image, else to the
    queries if one still needs a query, and counts for the first such label only. So each role has
    its number times the number of labels, and frequent labels end up with more than their share.

    Attributes:
        seed: Seed of the order.
        query: Queries that each label needs.
        train: Training images that each label needs.
        train_in_database: Whether training images are searched too.
        labelled_only: Leave images without a label out of the database.
    """

    seed: int
    query: int
    train: int
    train_in_database: bool
    labelled_only: bool = False

    def split(self, labels: NDArray[np.uint8]) -> Split:
        """Cut a dataset.

        Args:
            labels: uint8 (N, classes), multi-hot.

        Returns:
            Rising positions of each role; the database is all images that are not queries and,
            unless it holds them, not for training.

        Raises:
            DataError: If a label is on too few images to get its share.
        """
        order = seeded_order(labels, self.seed, labelled_only=self.labelled_only)
        needs = {_TRAIN: self.train, _QUERY: self.query}
        left = {role: [need] * labels.shape[1] for role, need in needs.items()}
        roles = np.full(len(order), _DATABASE, dtype=np.int8)
        missing = sum(needs.values()) * labels.shape[1]
        for place, position in enumerate(order):
            if not missing:
                break
            roles[place] = _give(np.flatnonzero(labels[position]).tolist(), left)
            missing -= roles[place] != _DATABASE
        _check_all_given(left)
        searched = (_DATABASE, _TRAIN) if self.train_in_database else (_DATABASE,)
        return Split(
            query=np.sort(order[roles == _QUERY]),
            train=np.sort(order[roles == _TRAIN]),
            database=np.sort(order[np.isin(roles, searched)]),
        )


def _give(labels: list[int], left: dict[int, list[int]]) -> int:
    """The role of one image; what its label still needs is counted down."""
    for role in (_TRAIN, _QUERY):
        for label in labels:
            if left[role][label]:
                left[role][label] -= 1
                return role
    return _DATABASE


def _check_all_given(left: dict[int, list[int]]) -> None:
    for role, name in ((_TRAIN, "training images"), (_QUERY, "queries")):
        for label, missing in enumerate(left[role]):
            if missing:
                raise DataError(
                    f"sampling rule walk: label {label} is on too few images: {missing} more "
                    f"{name} are needed"
                )
