"""Example queries with their nearest images, marked right or wrong."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.record import EvaluationRecord
from hashbench.reports.html.linked_tables import record_link
from hashbench.reports.html.points import Arena, Point
from hashbench.store.store import Store

METHODS: Final = 2
ARTIFACT: Final = "examples"


@dataclass(frozen=True, slots=True)
class Answer:
    """One image among the nearest of a query.

    Attributes:
        image: The image as a ``data:`` address.
        right: Whether it shares a label with the query.
        words: The text alternative.
    """

    image: str
    right: bool
    words: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query with its nearest images.

    Attributes:
        image: The image as a ``data:`` address.
        words: The query's number and the number of right answers.
        answers: Nearest first.
    """

    image: str
    words: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """Some queries of one method.

    Attributes:
        title: Method, code length and seed.
        link: Address of the evaluation's details.
        queries: The queries.
    """

    title: str
    link: str
    queries: tuple[Query, ...]


def examples(arena: Arena, stores: Mapping[str, Store]) -> list[Examples]:
    """Return the examples of the best methods of an arena, at most two.

    Each method is shown at its longest code with stored examples; evaluations need not store any.

    Raises:
        DamagedStoreError: If an artifact does not match its checksum.
    """
    shown: list[Examples] = []
    for method in arena.methods:
        points = [point for point in arena.points if point.method == method]
        found = (_of_point(point, stores) for point in reversed(points))
        shown += islice((each for each in found if each is not None), 1)
        if len(shown) == METHODS:
            break
    return shown


def _of_point(point: Point, stores: Mapping[str, Store]) -> Examples | None:
    results = point.cells[0]
    store = stores.get(results.fit_id)
    for record in reversed(results.evaluations):
        if store is not None and _is_there(store, record):
            arrays = store.read_arrays(record.fit_id, record.artifacts[ARTIFACT])
            seed = results.fit.cell.seed if results.fit else 0
            title = f"{point.method}, {point.bits_label}, seed {seed}"
            return Examples(title, record_link([record.record_id]), tuple(_queries(arrays)))
    return None


def _is_there(store: Store, record: EvaluationRecord) -> bool:
    artifact = record.artifacts.get(ARTIFACT)
    return artifact is not None and (store.root / record.fit_id / artifact.file).exists()


def _queries(arrays: Mapping[str, NDArray[Any]]) -> list[Query]:
    queries = []
    for row, number in enumerate(arrays["queries"].tolist()):
        right = arrays["right"][row].astype(bool).tolist()
        answers = tuple(
            Answer(
                png_address(image),
                good,
                f"{'right' if good else 'wrong'}, distance {distance:.3g}",
            )
            for image, good, distance in zip(
                arrays["images"][row], right, arrays["distances"][row].tolist(), strict=True
            )
        )
        words = f"Query {number}: {sum(right)} of the {len(right)} nearest are right"
        queries.append(Query(png_address(arrays["query_images"][row]), words, answers))
    return queries


def png_address(image: NDArray[np.uint8]) -> str:
    """Return an image as a ``data:`` address.

    Args:
        image: uint8 (h, w) grey or (h, w, 3) RGB.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
