"""What a search says, as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.serve.index import Found, Index, row_of, written_bits
from hashbench.serve.models import LoadedMethod
from hashbench.serve.offers import Offer

UPLOAD = "upload"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A query, encoded.

    Attributes:
        code: One row.
        kind: ``query``, ``database`` or ``upload``.
        index: The place in that list; None for an upload.
        labels: uint8 (classes,); None where they are not known.
        decode_ms: Milliseconds of decoding; None where a stored code was taken.
        encode_ms: Milliseconds of encoding; likewise.
    """

    code: Codes | Embeddings
    kind: str
    index: int | None = None
    labels: NDArray[np.uint8] | None = None
    decode_ms: float | None = None
    encode_ms: float | None = None

    @classmethod
    def stored(cls, method: LoadedMethod, role: Role, index: int) -> Asked:
        """The code that the record has of one of its own images."""
        encoded = method.encoded
        if role is Role.QUERY:
            return cls(row_of(encoded.query, index), role, index, encoded.query_labels[index])
        return cls(row_of(encoded.database, index), role, index, encoded.database_labels[index])


def about(offer: Offer, *, loaded: bool) -> dict[str, Any]:
    """An offered method.

    Args:
        offer: The fit and its metrics.
        loaded: Whether it is in memory.
    """
    fit = offer.fit
    cell = fit.cell
    return {
        "id": fit.fit_id,
        "record": fit.record_id,
        "name": str(cell),
        "dataset": cell.data.name,
        "protocol": cell.data.label,
        "method": cell.method_label,
        "bits": cell.bits,
        "seed": cell.seed,
        "sizes": dict(fit.data.sizes) if fit.data else {},
        "metrics": dict(offer.metrics),
        "loaded": loaded,
    }


def answer(
    method: LoadedMethod, asked: Asked, *, k: int, engine: str
) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Search a fit's database.

    Args:
        method: The fit.
        asked: The query.
        k: How many.
        engine: By which engine.

    Returns:
        What is said, and the places in the dataset of what was found, int64 (n,).

    Raises:
        ConfigError: If the engine is unknown or cannot search such codes.
    """
    found = method.index.search(asked.code, k, engine=engine)
    classes, labels = method.encoder.classes, method.encoded.database_labels
    right = None if asked.labels is None else np.any(labels[:, asked.labels > 0], axis=1)
    ties, tie_of = tie_groups(method.index, asked.code, found)
    fit_id = method.fit.fit_id
    results = [
        {
            "rank": rank,
            "index": int(at),
            "position": int(method.encoder.database[at]),
            "distance": distance_of(asked.code, found.distances[rank - 1]),
            "tie": tie_of[rank - 1],
            "labels": label_names(labels[at], classes),
            "right": None if right is None else bool(right[at]),
            "itself": asked.kind == Role.DATABASE and asked.index == int(at),
            "code": written_bits(method.encoded.database, at),
            "thumbnail": thumbnail_path(fit_id, Role.DATABASE, at),
        }
        for rank, at in enumerate(found.ids, start=1)
    ]
    said = {
        "method": {"id": fit_id, "record": method.fit.record_id, "name": str(method.fit.cell)},
        "query": _query(asked, fit_id, classes),
        "k": k,
        "database": len(method.index),
        **timing(found, asked),
        "right": None if right is None else int(right[found.ids].sum()),
        "relevant": None if right is None else int(right.sum()),
        "ties": ties,
        "results": results,
    }
    return said, method.encoder.database[found.ids]


def timing(found: Found, asked: Asked) -> dict[str, Any]:
    """Who searched, and what each step of this very query took."""
    steps = {"decode": asked.decode_ms, "encode": asked.encode_ms, "search": found.milliseconds}
    return {
        "engine": found.engine,
        "milliseconds": {
            name: None if took is None else round(took, 4) for name, took in steps.items()
        },
    }


def tie_groups(
    index: Index, code: Codes | Embeddings, found: Found
) -> tuple[list[dict[str, Any]], list[int]]:
    """The runs of equal distance in what was found.

    Args:
        index: What was searched.
        code: The query.
        found: Its neighbours, nearest first.

    Returns:
        A group each: ``tie`` counts them from 1, ``ranks`` are its first and last, ``in_results``
        and ``in_database`` how many images lie at its distance (None for embeddings); the order
        within a group means nothing. And the group of each neighbour.
    """
    counts = index.counts(code)
    groups: list[dict[str, Any]] = []
    of: list[int] = []
    for rank, distance in enumerate(found.distances, start=1):
        if rank == 1 or distance != found.distances[rank - 2]:
            groups.append(
                {
                    "tie": len(groups) + 1,
                    "distance": distance_of(code, distance),
                    "ranks": [rank, rank],
                    "in_database": None if counts is None else int(counts[int(distance)]),
                }
            )
        groups[-1]["ranks"][1] = rank
        groups[-1]["in_results"] = rank - groups[-1]["ranks"][0] + 1
        of.append(len(groups))
    return groups, of


def distance_of(code: Codes | Embeddings, distance: np.float64) -> int | float:
    """A Hamming distance as a whole number, one of cosines rounded for reading."""
    return int(distance) if isinstance(code, Codes) else round(float(distance), 6)


def label_names(row: NDArray[np.uint8], classes: Sequence[str]) -> list[str]:
    """The class names of one row of labels."""
    return [name for name, there in zip(classes, row, strict=True) if there]


def thumbnail_path(fit_id: str, role: Role, index: int) -> str:
    """Where the picture of an image is asked for."""
    return f"/v1/methods/{fit_id}/thumbnails/{role}/{index}"


def _query(asked: Asked, fit_id: str, classes: Sequence[str]) -> dict[str, Any]:
    picture = None
    if asked.index is not None:
        picture = thumbnail_path(fit_id, Role(asked.kind), asked.index)
    return {
        "kind": str(asked.kind),
        "index": asked.index,
        "labels": None if asked.labels is None else label_names(asked.labels, classes),
        "code": written_bits(asked.code),
        "thumbnail": picture,
    }
