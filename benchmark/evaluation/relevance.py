"""Relevance: two images are relevant to each other if they share at least one label.

The gain of an image is the number of shared labels.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

_WORD_BYTES = 8


def check_labels(labels: NDArray[np.uint8], *, items: int, side: str) -> None:
    """Raise DataError unless the labels of a side are uint8 (items, classes) of 0 and 1."""
    if labels.ndim != 2 or labels.dtype != np.uint8:  # noqa: PLR2004 - (N, classes)
        raise DataError(
            f"{side} labels: must be multi-hot uint8 (N, classes), "
            f"got {labels.dtype} {labels.shape}"
        )
    if len(labels) != items:
        raise DataError(f"{side} labels: {len(labels)} rows for {items} codes; one row a code")
    if labels.size and labels.max() > 1:
        raise DataError(f"{side} labels: multi-hot means 0 or 1, got {labels.max()}")


class Relevance:
    """The labels that queries and database items share, computed one query at a time.

    Where no row has two labels, class numbers are compared; otherwise label sets as bit masks.

    Args:
        query_labels: uint8 (Q, classes), multi-hot.
        database_labels: uint8 (N, classes), multi-hot.

    Attributes:
        levels: One more than the labels that any two images can share: gains are below it.

    Raises:
        DataError: If the two sides have different classes.
    """

    def __init__(self, query_labels: NDArray[np.uint8], database_labels: NDArray[np.uint8]) -> None:
        classes = query_labels.shape[1], database_labels.shape[1]
        if classes[0] != classes[1]:
            raise DataError(
                f"labels: {classes[0]} classes on the query side, {classes[1]} on the database's"
            )
        self.query_labels, self.database_labels = query_labels, database_labels
        most = _most_labels(query_labels), _most_labels(database_labels)
        self.levels = 1 + min(most)
        self._single = max(most) <= 1

    @cached_property
    def _classes(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Class numbers of queries and database, which differ where there is no label."""
        query, database = self.query_labels, self.database_labels
        unused = database.shape[1]
        return (
            np.where(query.any(axis=1), _class_of(query), -1),
            np.where(database.any(axis=1), _class_of(database), unused).astype(np.int32),
        )

    @cached_property
    def _masks(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Label sets of the queries, (Q, words), and of the database, (words, N)."""
        return _masks(self.query_labels), np.ascontiguousarray(_masks(self.database_labels).T)

    def row(self, query: int) -> NDArray[np.bool_]:
        """Compute which database items are relevant to a query, bool (N,)."""
        if self._single:
            queries, classes = self._classes
            return np.asarray(classes == queries[query])
        query_masks, masks = self._masks
        shared = masks[0] & query_masks[query, 0]
        for column, word in zip(masks[1:], query_masks[query, 1:], strict=True):
            shared |= column & word
        return np.asarray(shared != 0)

    def gains(self, query: int) -> NDArray[np.uint8 | np.uint16]:
        """Count the labels that each item shares with a query, (N,); uint8 if they fit."""
        if self._single:
            return self.row(query).view(np.uint8)
        query_masks, masks = self._masks
        shared = np.zeros(masks.shape[1], dtype=np.min_scalar_type(self.levels))
        for column, word in zip(masks, query_masks[query], strict=True):
            shared += np.bitwise_count(column & word)
        return shared


def _most_labels(labels: NDArray[np.uint8]) -> int:
    return int(np.einsum("ij->i", labels, dtype=np.int32).max(initial=0))


def _class_of(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.asarray(labels.argmax(axis=1) if labels.shape[1] else np.zeros(len(labels), np.int64))


def _masks(labels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    packed = np.packbits(labels, axis=1)
    width = -(-packed.shape[1] // _WORD_BYTES) * _WORD_BYTES
    padded = np.zeros((len(labels), width), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)
