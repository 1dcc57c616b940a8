"""Check that images, labels and lists are those that a protocol states."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from hashbench.core.canonical import digest_array
from hashbench.core.errors import DataError
from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.datasets.protocols.sampling import ROLES
from hashbench.datasets.reading.index_list import digest_positions


def check_images(data: ImageData, spec: ProtocolSpec) -> dict[str, str]:
    """Check a decoded dataset against its protocol.

    Returns:
        SHA-256 of ``pixels`` and ``labels`` as found.

    Raises:
        DataError: If the number, size, type, labels or pixels are not what the protocol states.
    """
    where = f"dataset {spec.dataset}"
    _same(where, "images", spec.images, len(data.images))
    _same(where, "the label array", (spec.images, spec.classes), data.labels.shape)
    _same(where, "class names", spec.classes, len(data.classes))
    if spec.shape is not None:
        _same(where, "an image shape of", spec.shape, data.images.shape[1:])
    for what, array in (("pixels", data.images), ("labels", data.labels)):
        _same(where, f"{what} of type", "uint8", str(array.dtype))
    pixels = data.pixels_sha256 or digest_array(data.images)
    found = {"pixels": pixels, "labels": digest_array(data.labels)}
    for what, checksum in found.items():
        _same_checksum(f"{where}: {what}", spec, checksum, what=what)
    return found


def check_split(split: Split, spec: ProtocolSpec) -> None:
    """Check a protocol's lists: their sizes and checksums, and the images that they share.

    Raises:
        DataError: If a size or checksum is not the protocol's, a query is in the database (unless
            the protocol allows it) or the training set, or ``train_in_database`` does not hold.
    """
    where = f"protocol {spec.name}"
    for role in ROLES:
        positions: NDArray[np.int64] = getattr(split, role)
        _same(where, f"{role} images", spec.sizes.get(role, len(positions)), len(positions))
        _same_checksum(f"{where}: {role} list", spec, digest_positions(positions), what=role)
    for role in ("train",) if spec.queries_in_database else ("database", "train"):
        shared = np.intersect1d(split.query, getattr(split, role))
        if len(shared):
            raise DataError(
                f"{where}: expected no query in the {role} list, found {len(shared)} (first: "
                f"position {shared[0]})"
            )
    inside = len(np.intersect1d(split.train, split.database))
    expected = len(split.train) if spec.train_in_database else 0
    _same(where, "training images in the database", expected, inside)


def unchecked(spec: ProtocolSpec) -> tuple[str, ...]:
    """Return a warning about checksums and sizes that a protocol does not state, if any."""
    sums = [what for what in ("pixels", "labels", *ROLES) if what not in spec.checksums]
    sizes = [role for role in ROLES if role not in spec.sizes]
    if not sums:
        return ()
    size = f" and no size of {', '.join(sizes)}" if sizes else ""
    return (
        f"{spec.name} states no SHA-256 of {', '.join(sums)}{size}: the values found are in the "
        f"record; compare them between records",
    )


def searched_queries(split: Split) -> tuple[str, ...]:
    """Return a warning that counts the queries that are in the database themselves, if any."""
    shared = len(np.intersect1d(split.query, split.database))
    if not shared:
        return ()
    return (
        f"{shared} of {len(split.query)} queries are in the database themselves, so that each "
        f"finds itself: not comparable with protocols that keep them apart",
    )


def identical_queries(data: ImageData, split: Split) -> tuple[str, ...]:
    """Return a warning about queries with an equal other image in the database or training set.

    It counts them and names the first pair.
    """
    searched = np.setdiff1d(np.union1d(split.database, split.train), split.query)
    # One row of pixels tells nearly all images apart; only the others are read whole.
    rows = {data.images[query, _row(data)].tobytes() for query in split.query}
    alike = [image for image in searched if data.images[image, _row(data)].tobytes() in rows]
    others: dict[bytes, int] = {}
    for mark, position in _fingerprints(data, alike):
        others.setdefault(mark, position)
    queries = split.query if others else ()
    pairs = [
        (query, others[mark]) for mark, query in _fingerprints(data, queries) if mark in others
    ]
    if not pairs:
        return ()
    return (
        f"{len(pairs)} of {len(split.query)} queries have a pixel-identical image in the database "
        f"or the training set (first: query {pairs[0][0]} = {pairs[0][1]})",
    )


def _row(data: ImageData) -> int:
    return int(data.images.shape[1]) // 2


def _fingerprints(data: ImageData, positions: Iterable[np.int64]) -> Iterator[tuple[bytes, int]]:
    for position in positions:
        yield hashlib.sha256(data.images[position].tobytes()).digest(), int(position)


def _same(where: str, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise DataError(
            f"{where}: {what}: expected {expected}, found {found}; restore the published files, or "
            f"define a protocol of your own for changed ones"
        )


def _same_checksum(where: str, spec: ProtocolSpec, found: str, *, what: str) -> None:
    expected = spec.checksums.get(what, found)
    if expected != found:
        raise DataError(
            f"{where}: expected SHA-256 {expected} ({spec.name}), found {found}; restore the "
            f"published files, or define a protocol of your own for changed ones"
        )
