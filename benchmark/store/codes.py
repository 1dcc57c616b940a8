"""A fit's codes and labels on disk: all that evaluation and search need of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DamagedStoreError
from hashbench.core.record import Artifact, FitRecord
from hashbench.store.store import Store

NAME = "codes"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSplit:
    """Query and database as a method encoded them, with their labels.

    Attributes:
        query: Codes or embeddings of the queries.
        database: Those of the database.
        query_labels: uint8 (queries, classes), multi-hot.
        database_labels: uint8 (database, classes), multi-hot.
    """

    query: Codes | Embeddings
    database: Codes | Embeddings
    query_labels: NDArray[np.uint8]
    database_labels: NDArray[np.uint8]


def save_codes(store: Store, fit_id: str, encoded: EncodedSplit) -> Artifact:
    """Write an encoded split as one artifact.

    Raises:
        StoreError: If it cannot be written.
    """
    arrays = {
        "query": _array(encoded.query),
        "database": _array(encoded.database),
        "query_labels": np.packbits(encoded.query_labels, axis=1),
        "database_labels": np.packbits(encoded.database_labels, axis=1),
    }
    metadata = {
        "bits": str(encoded.query.bits) if isinstance(encoded.query, Codes) else "float",
        "classes": str(encoded.query_labels.shape[1]),
    }
    return store.write_arrays(fit_id, NAME, arrays, metadata=metadata)


def load_codes(store: Store, fit: FitRecord) -> EncodedSplit:
    """Read a fit's encoded split back.

    Raises:
        DamagedStoreError: If the artifact is missing or not what was written.
    """
    if NAME not in fit.artifacts or fit.data is None:
        raise DamagedStoreError(
            f"store: {store.root / fit.fit_id}: record {fit.record_id} names no codes; move the "
            f"folder out of the store and run the matrix again"
        )
    arrays = store.read_arrays(fit.fit_id, fit.artifacts[NAME])
    classes, bits = fit.data.sizes["classes"], fit.cell.bits
    return EncodedSplit(
        _codes(arrays["query"], bits),
        _codes(arrays["database"], bits),
        np.unpackbits(arrays["query_labels"], axis=1, count=classes),
        np.unpackbits(arrays["database_labels"], axis=1, count=classes),
    )


def _array(encoded: Codes | Embeddings) -> NDArray[Any]:
    return encoded.packed if isinstance(encoded, Codes) else encoded.values


def _codes(array: NDArray[Any], bits: int | None) -> Codes | Embeddings:
    return Embeddings(array) if bits is None else Codes(array, bits)
