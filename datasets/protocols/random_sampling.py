"""The sampling rule ``random``: queries, then training images, drawn without looking at labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.interface import Split
from hashbench.datasets.protocols.shuffle import shuffled


@dataclass(frozen=True, slots=True)
class RandomDraw:
    """The rule ``random``: a seeded order, its front the queries, what follows for training.

    Attributes:
        seed: Seed of the order.
        query: Number of queries.
        train: Number of training images.
        train_in_database: Whether training images are searched too.
        labelled_only: Leave images without a label out of every role.
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
            DataError: If there are too few images to leave one for the database.
        """
        order = seeded_order(labels, self.seed, labelled_only=self.labelled_only)
        drawn = self.query + self.train
        first = self.query if self.train_in_database else drawn
        if len(order) <= max(first, drawn - 1):
            raise DataError(
                f"sampling rule random: expected more than the {drawn} images that are queries or "
                f"for training, found {len(order)}"
            )
        return Split(
            query=np.sort(order[: self.query]),
            train=np.sort(order[self.query : drawn]),
            database=np.sort(order[first:]),
        )


def seeded_order(labels: NDArray[np.uint8], seed: int, *, labelled_only: bool) -> NDArray[np.int64]:
    """Put the images into the order in which multi-label protocols draw them.

    Args:
        labels: uint8 (N, classes), multi-hot.
        seed: The protocol's seed.
        labelled_only: Leave images without a label out.

    Returns:
        int64 (M,) positions.
    """
    order = shuffled(np.arange(len(labels), dtype=np.int64), seed, purpose="protocol")
    return order[labels[order].any(axis=1)] if labelled_only else order
