"""The report of an import, for people and for ``report.json``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.datasets.interface import Split
from hashbench.datasets.reading.decode_cache import DecodedImages, Unreadable

_TOP_PAIRS = 10
_FIRST = 5


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The findings of an import.

    Attributes:
        files: Number of files that the labels name.
        images: Number of them that could be read.
        other_files: Files of the source that are no images by their suffix.
        unlisted: Images of the source that the labels do not name; left out.
        missing: Names in the labels that the source does not have.
        unreadable: Files that could not be decoded.
        duplicates: Groups of names of images with equal pixels.
        label_counts: Number of images by class.
        unlabelled: Number of images without any label.
        co_occurrence: The pairs of labels that most images share, with the number of images.
        sizes: Number of images by role.
        notes: How the labels were read, where that is not as usual.
        overlaps: Warnings about queries that are in the database or have a copy in another list.
    """

    files: int
    images: int
    other_files: tuple[str, ...]
    unlisted: tuple[str, ...]
    missing: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    duplicates: tuple[tuple[str, ...], ...]
    label_counts: dict[str, int]
    unlabelled: int
    co_occurrence: tuple[tuple[str, str, int], ...]
    sizes: dict[str, int]
    notes: tuple[str, ...]
    overlaps: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return all findings as plain data."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return a summary for people, which names only the first of many files."""
        empty = [name for name, count in self.label_counts.items() if not count]
        counts = sorted(self.label_counts.items(), key=lambda pair: (-pair[1], pair[0]))
        groups = [" = ".join(group[:_FIRST]) for group in self.duplicates]
        copies = sum(len(group) - 1 for group in self.duplicates)
        return [
            f"images: {self.images:,} read of {self.files:,}",
            *self.notes,
            *_named("unreadable", [f"{bad.name}: {bad.reason}" for bad in self.unreadable]),
            *_named("listed but missing (left out)", self.missing),
            *_named("not named by the labels (left out)", self.unlisted),
            *_named("no images by their suffix (left out)", self.other_files),
            *([f"exact copies: {copies:,} ({_some(groups)})"] if groups else []),
            f"labels: {len(counts)} classes; {_some([f'{n} {c:,}' for n, c in counts])}",
            *_named("classes without an image", empty),
            f"images without a label: {self.unlabelled:,}",
            *_together(self.co_occurrence),
            "split: " + ", ".join(f"{size:,} {role}" for role, size in self.sizes.items()),
            *(f"warning: {line}" for line in self.overlaps),
        ]


def equal_images(decoded: DecodedImages) -> list[list[int]]:
    """Find images with equal pixels, reading one after another from their file.

    Returns:
        Groups of two or more rising positions, in the order of their first.
    """
    groups: dict[bytes, list[int]] = {}
    size = int(np.prod(decoded.images.shape[1:]))
    # Read, not memory-mapped: mapped pages would count as this process's memory.
    with decoded.path.open("rb") as file:
        file.seek(-size * len(decoded.images), 2)
        for position in range(len(decoded.images)):
            mark = hashlib.sha256(file.read(size)).digest()
            groups.setdefault(mark, []).append(position)
    return [group for group in groups.values() if len(group) > 1]


def label_pairs(
    labels: NDArray[np.uint8], classes: Sequence[str]
) -> tuple[tuple[str, str, int], ...]:
    """Return the pairs of labels that most images share, at most ten, the most frequent first."""
    if labels.sum(axis=1).max() < 2:  # noqa: PLR2004 - a pair
        return ()
    columns = labels.astype(np.float64)
    together = np.triu(columns.T @ columns, k=1).astype(np.int64)
    best = np.argsort(-together, axis=None, kind="stable")[:_TOP_PAIRS]
    pairs = zip(*np.unravel_index(best, together.shape), strict=True)
    return tuple((classes[a], classes[b], int(together[a, b])) for a, b in pairs if together[a, b])


def shared_content(
    split: Split, groups: Sequence[Sequence[int]], names: Sequence[str]
) -> tuple[str, ...]:
    """Return warnings about queries that other lists contain too, by name or by content."""
    lines = []
    queries, database = set(split.query.tolist()), set(split.database.tolist())
    if both := queries & database:
        lines.append(
            f"{len(both):,} of {len(queries):,} queries are in the database list themselves "
            f"(first: {names[min(both)]})"
        )
    for role in ("database", "train"):
        others = set(getattr(split, role).tolist()) - queries
        pairs = [
            (query, next(iter(sorted(others & set(group)))))
            for group in groups
            for query in sorted(queries & set(group))
            if others & set(group)
        ]
        if pairs:
            query, other = pairs[0]
            lines.append(
                f"{len(pairs):,} of {len(queries):,} queries have a copy in the {role} list "
                f"(first: {names[query]} = {names[other]})"
            )
    return tuple(lines)


def _together(pairs: Sequence[tuple[str, str, int]]) -> list[str]:
    shown = [f"{one} + {other} {count:,}" for one, other, count in pairs]
    return [f"labels together: {_some(shown)}"] if shown else []


def _named(what: str, names: Sequence[str]) -> list[str]:
    return [f"{what}: {len(names):,} ({_some(names)})"] if names else []


def _some(words: Sequence[str]) -> str:
    more = len(words) - _FIRST
    shown = ", ".join(_printable(word) for word in words[:_FIRST])
    return f"{shown}, and {more:,} more" if more > 0 else shown


def _printable(word: str) -> str:
    # A file name may contain control characters, which a terminal would obey.
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in word)
