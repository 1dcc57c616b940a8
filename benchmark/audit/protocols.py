"""Whether a fit's data are those of the protocol as this installation has it."""

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
    """A protocol's definition; None where this installation does not know it.

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
    """Say where a fit's data are not those of a protocol.

    Args:
        choice: What the cell asks for.
        facts: What was loaded; None for a fit that got no further.
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
        expected = spec.checksums.get(what, found)  # what a protocol does not state is free
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
    """Load a fit's dataset, and say where it is not what was loaded then.

    Args:
        choice: What the cell asks for.
        facts: What was loaded.
        encoded: The fit's codes and labels, to compare the labels with the dataset's.
        root: Where datasets are looked for.

    Raises:
        HashbenchError: If the dataset is not there, or not what its protocol says.
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
            yield f"labels of the {role} images are not the dataset's"
