"""Compare a fit's data with the installed protocol and with the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from hashbench.core.cell import DataChoice
from hashbench.core.errors import ConfigError
from hashbench.core.record import DataFacts
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.datasets.protocols.sampling import ROLES
from hashbench.store.codes import EncodedSplit


def find_protocol(name: str) -> ProtocolSpec | None:
    """Load a protocol's definition; None if it is not installed.

    Raises:
        DataError: If its file is damaged.
    """
    try:
        return load_protocol(name)
    except ConfigError:
        return None


def protocol_differences(
    choice: DataChoice, facts: DataFacts | None, spec: ProtocolSpec
) -> Iterator[str]:
    """Describe where a fit's data differ from an installed protocol.

    Args:
        choice: The data that the cell names.
        facts: The data as they were loaded; None for a fit that failed before.
        spec: The protocol as installed.
    """
    if choice.protocol_sha256 != spec.sha256:
        yield (
            f"made with {choice.protocol} of SHA-256 {choice.protocol_sha256[:12]}…, this "
            f"installation's is {spec.sha256[:12]}…"
        )
        return
    if choice.name != spec.dataset:
        yield f"{choice.protocol} is a protocol of {spec.dataset}, not of {choice.name}"
    if facts is None:
        return
    whole = ("pixels", "labels", *(ROLES if choice.subset is None else ()))
    for what in whole:
        found = facts.checksums.get(what)
        expected = spec.checksums.get(what, found)  # a protocol may not state it
        if found != expected:
            yield f"{what} of SHA-256 {found}, {choice.protocol} says {expected}"
    if choice.subset is None:
        for role in ROLES:
            size = facts.sizes.get(role)
            if size != spec.sizes.get(role, size):
                yield f"{size} {role} images, not {spec.sizes[role]}"


@lru_cache(maxsize=1)  # cells of one dataset come together; two datasets may not fit in memory
def _load(choice: DataChoice, root: Path | None) -> LoadedData:
    return load_data(choice.name, choice.protocol, subset=choice.subset, root=root)


def data_differences(
    choice: DataChoice, facts: DataFacts, encoded: EncodedSplit | None, *, root: Path | None
) -> Iterator[str]:
    """Load a fit's dataset, and describe where it differs from the data of the fit.

    Args:
        choice: The data that the cell names.
        facts: The data as they were loaded for the fit.
        encoded: The fit's codes and labels; the labels are compared with the dataset's.
        root: The folder of datasets.

    Raises:
        HashbenchError: If the dataset is missing or differs from its protocol.
    """
    loaded = _load(choice, root)
    for what, checksum in loaded.checksums.items():
        if facts.checksums.get(what) != checksum:
            yield f"{what} of SHA-256 {facts.checksums.get(what)}, loaded now: {checksum}"
    for what, size in loaded.sizes.items():
        if facts.sizes.get(what) != size:
            yield f"{facts.sizes.get(what)} {what}, loaded now: {size}"
    if encoded is None:
        return
    sides = (("query", encoded.query_labels), ("database", encoded.database_labels))
    for role, stored in sides:
        if not np.array_equal(stored, loaded.data.labels[getattr(loaded.split, role)]):
            yield f"labels of the {role} images differ from the dataset's"
