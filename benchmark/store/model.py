"""Write and read a fitted method, for encoding other images and searching with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DamagedStoreError, DataError
from hashbench.core.record import Artifact, FitRecord
from hashbench.store.store import Store

NAME = "model"
_STATE = "state/"
_DATABASE = "database"


@dataclass(frozen=True, slots=True, eq=False)
class KeptModel:
    """A fitted method, kept beside its codes if the matrix sets ``keep_model``.

    Attributes:
        state: The method's learned and loaded arrays, by name.
        classes: Class names, in the order of the label columns.
        database: int64 (database,), the index in the dataset of each database image.
    """

    state: Mapping[str, NDArray[Any]]
    classes: tuple[str, ...]
    database: NDArray[np.int64]


def save_model(store: Store, fit_id: str, kept: KeptModel) -> Artifact:
    """Write a model as one artifact.

    Raises:
        StoreError: If it cannot be written.
    """
    arrays = {f"{_STATE}{name}": array for name, array in kept.state.items()}
    arrays[_DATABASE] = kept.database
    metadata = {"classes": json.dumps(kept.classes)}
    return store.write_arrays(fit_id, NAME, arrays, metadata=metadata)


def has_model(fit: FitRecord) -> bool:
    """Whether a fit kept its model."""
    return NAME in fit.artifacts


def load_model(store: Store, fit: FitRecord) -> KeptModel:
    """Read a fit's model.

    Raises:
        DataError: If none was kept.
        DamagedStoreError: If the artifact is missing or damaged.
    """
    if not has_model(fit):
        raise DataError(
            f"record {fit.record_id}: no model kept; re-run with execute: {{keep_model: true}}"
        )
    artifact = fit.artifacts[NAME]
    arrays = store.read_arrays(fit.fit_id, artifact)
    state = {k.removeprefix(_STATE): v for k, v in arrays.items() if k.startswith(_STATE)}
    try:
        classes = json.loads(store.read_metadata(fit.fit_id, artifact)["classes"])
        return KeptModel(state, tuple(classes), arrays[_DATABASE])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedStoreError(
            f"store: {store.root / fit.fit_id / artifact.file} holds no model of record "
            f"{fit.record_id} ({error}); move {fit.fit_id} out of the store and run the matrix "
            f"again"
        ) from None
