"""Recompute a protocol from its rule and data, and report what its lists share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.interface import ImageData, Split
from hashbench.datasets.labels import keep_columns
from hashbench.datasets.protocols.checks import check_images
from hashbench.datasets.protocols.duplicates import (
    MOST_BITS,
    MOST_DIFFERENCE,
    content_numbers,
    copies_in,
    difference_hashes,
    near_duplicates,
)
from hashbench.datasets.protocols.protocol import ProtocolSpec
from hashbench.datasets.protocols.sampling import ROLES
from hashbench.datasets.reading.index_list import digest_positions

_EXAMPLES = 3
_SHOWN = 12  # hex digits of a checksum
_PAIRS = (("query", "train"), ("query", "database"), ("train", "database"))
Roles = Mapping[str, NDArray[np.int64]]


class Verdict(StrEnum):
    """The verdict of one line of a verification."""

    OK = "ok"
    MISMATCH = "MISMATCH"
    UNSTATED = "unstated"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """The result of one check.

    Attributes:
        title: The property checked.
        verdict: ``ok`` or ``MISMATCH`` against what the protocol states, ``unstated`` where it
            states nothing, ``note`` for mere information.
        seen: The finding, in one line.
    """

    title: str
    verdict: Verdict
    seen: str


@dataclass(frozen=True, slots=True, eq=False)
class ImageMarks:
    """Content numbers and hashes of images, computed once for all protocols of a dataset.

    Attributes:
        contents: int64 (N,), equal for images of equal pixels.
        hashes: uint64 (N,), difference hashes.
    """

    contents: NDArray[np.int64]
    hashes: NDArray[np.uint64]


def mark_images(data: ImageData) -> ImageMarks:
    """Hash all images; each is read twice, in blocks."""
    return ImageMarks(content_numbers(data.images), difference_hashes(data.images))


def verify_protocol(data: ImageData, spec: ProtocolSpec, *, marks: ImageMarks) -> Iterator[Line]:
    """Recompute what a protocol states, and examine what its lists share.

    Yields:
        The result of each check. If the data are not the protocol's, or its rule cannot be
        followed, that is the only one.
    """
    try:
        data = keep_columns(data, spec.columns)
        found = check_images(data, spec)
        split = spec.sampling.split(data.labels)
    except DataError as error:
        yield Line("data", Verdict.MISMATCH, " ".join(str(error).split()))
        return
    for what, checksum in found.items():
        yield _checksum(spec, what, checksum, seen=f"{len(data)} images")
    roles = {role: getattr(split, role) for role in ROLES}
    for role, positions in roles.items():
        yield _list(spec, role, positions)
    yield _shared(spec, roles)
    yield _equal(roles, marks)
    yield _alike(data, split, marks)
    yield _classes(data, roles)
    yield _unlabelled(data, roles)


def _checksum(spec: ProtocolSpec, what: str, found: str, *, seen: str) -> Line:
    stated = spec.checksums.get(what)
    shown = f"{seen}, SHA-256 {found[:_SHOWN]}"
    if stated is None:
        return Line(what, Verdict.UNSTATED, shown)
    if stated == found:
        return Line(what, Verdict.OK, shown)
    return Line(what, Verdict.MISMATCH, f"{shown}; the protocol states {stated[:_SHOWN]}")


def _list(spec: ProtocolSpec, role: str, positions: NDArray[np.int64]) -> Line:
    stated, count = spec.sizes.get(role), len(positions)
    if stated not in (None, count):
        return Line(role, Verdict.MISMATCH, f"{count} images; the protocol states {stated}")
    return _checksum(spec, role, digest_positions(positions), seen=f"{count} images")


def _shared(spec: ProtocolSpec, roles: Roles) -> Line:
    """Count images that two lists share by position, against what the protocol states."""
    counts = {
        (one, other): len(np.intersect1d(roles[one], roles[other], assume_unique=True))
        for one, other in _PAIRS
    }
    inside = len(roles["train"]) if spec.train_in_database else 0
    right = (
        counts["query", "train"] == 0
        and (counts["query", "database"] == 0 or spec.queries_in_database)
        and counts["train", "database"] == inside
    )
    verdict = Verdict.OK if right else Verdict.MISMATCH
    shown = ", ".join(f"{one}/{other} {count}" for (one, other), count in counts.items())
    states = "in" if spec.train_in_database else "not in"
    return Line("shared by id", verdict, f"{shown}; training images are {states} the database")


def _equal(roles: Roles, marks: ImageMarks) -> Line:
    """Count images of each list that have an equal other image in another list."""
    copies = {
        (one, other): copies_in(marks.contents, roles[one], roles[other]) for one, other in _PAIRS
    }
    shown = ", ".join(f"{one}/{other} {len(found)}" for (one, other), found in copies.items())
    first = [int(found[0]) for found in copies.values() if len(found)]
    example = f"; the first is image {first[0]}" if first else ""
    verdict = Verdict.NOTE if first else Verdict.OK
    return Line("equal in pixels", verdict, f"{shown}{example}")


def _alike(data: ImageData, split: Split, marks: ImageMarks) -> Line:
    """Count queries that look like an image of the database or the training set."""
    others = np.setdiff1d(np.union1d(split.database, split.train), split.query)
    pairs = near_duplicates(data.images, marks.hashes, queries=split.query, others=others)
    first = list(islice(pairs, _EXAMPLES))
    count, queries = len(first), {pair.query for pair in first}
    for pair in pairs:
        count += 1
        queries.add(pair.query)
    if not count:
        return Line("look alike", Verdict.OK, "no query and other image")
    examples = ", ".join(f"{pair.query} ~ {pair.other} ({pair.difference:.2f})" for pair in first)
    limits = f"hashes within {MOST_BITS} bits, pixels within {MOST_DIFFERENCE} deviations"
    return Line(
        "look alike",
        Verdict.NOTE,
        f"{len(queries)} of {len(split.query)} queries, in {count} pairs with the database or the "
        f"training set ({limits}); the first: {examples}",
    )


def _classes(data: ImageData, roles: Roles) -> Line:
    shown = []
    for role, positions in roles.items():
        counts = data.labels[positions].sum(axis=0, dtype=np.int64)
        present = counts[counts > 0] if counts.any() else counts
        span = " to ".join(map(str, np.unique([present.min(), present.max()])))
        absent = len(counts) - len(present)
        shown.append(f"{role} {span}" + (f" ({absent} classes without)" if absent else ""))
    return Line("images a class", Verdict.NOTE, ", ".join(shown))


def _unlabelled(data: ImageData, roles: Roles) -> Line:
    counts = {
        role: int(np.count_nonzero(~data.labels[positions].any(axis=1)))
        for role, positions in roles.items()
    }
    verdict = Verdict.NOTE if any(counts.values()) else Verdict.OK
    shown = ", ".join(f"{role} {count}" for role, count in counts.items())
    return Line("without a label", verdict, shown)
