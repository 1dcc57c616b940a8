"""Write and read a fit's codes and labels, which evaluation and search need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DamagedStoreError, DataError
from hashbench.core.record import Artifact, FitRecord
from hashbench.store.store import Store

NAME = "codes"
_LABELS_PER_BYTE = 8


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSplit:
    """Codes or embeddings of query and database, with their labels.

    Attributes:
        query: Codes or embeddings of the queries.
        database: Codes or embeddings of the database.
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
    """Read a fit's encoded split.

    Raises:
        DamagedStoreError: If the artifact is missing or damaged.
    """
    if NAME not in fit.artifacts or fit.data is None:
        raise DamagedStoreError(
            f"store: {store.root / fit.fit_id}: record {fit.record_id} names no codes; move the "
            f"folder out of the store and run the matrix again"
        )
    arrays = store.read_arrays(fit.fit_id, fit.artifacts[NAME])
    try:
        return _split(arrays, classes=fit.data.sizes["classes"], bits=fit.cell.bits)
    except (DataError, KeyError) as error:
        raise DamagedStoreError(
            f"store: {store.root / fit.fit_id / fit.artifacts[NAME].file} holds no codes of record "
            f"{fit.record_id} ({error}); move {fit.fit_id} out of the store and run the matrix "
            f"again"
        ) from None


def _split(arrays: Mapping[str, NDArray[Any]], *, classes: int, bits: int | None) -> EncodedSplit:
    query, database = _codes(arrays["query"], bits), _codes(arrays["database"], bits)
    return EncodedSplit(
        query,
        database,
        _labels(arrays["query_labels"], classes=classes, items=len(query)),
        _labels(arrays["database_labels"], classes=classes, items=len(database)),
    )


def _array(encoded: Codes | Embeddings) -> NDArray[Any]:
    return encoded.packed if isinstance(encoded, Codes) else encoded.values


def _codes(array: NDArray[Any], bits: int | None) -> Codes | Embeddings:
    return Embeddings(array) if bits is None else Codes(array, bits)


def _labels(packed: NDArray[Any], *, classes: int, items: int) -> NDArray[np.uint8]:
    wanted = (items, -(-classes // _LABELS_PER_BYTE))
    if packed.dtype != np.uint8 or packed.shape != wanted:
        raise DataError(
            f"labels: {items} rows of {classes} classes are uint8 {wanted}, "
            f"got {packed.dtype} {packed.shape}"
        )
    return np.unpackbits(packed, axis=1, count=classes)
