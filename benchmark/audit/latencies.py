"""What of a latency measurement can be checked without measuring again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes
from hashbench.core.record import LatencyEntry
from hashbench.search.distances import distance_histogram
from hashbench.search.resample import Resampling, resample
from hashbench.store.codes import EncodedSplit

_ROUNDING = 1e-9


def entry_differences(entry: LatencyEntry, encoded: EncodedSplit | None) -> Iterator[str]:
    """Say where an entry contradicts itself or the codes it is of.

    The samples themselves are not stored, so the percentiles cannot be computed again.

    Args:
        entry: The entry.
        encoded: The codes; None where they are not to be had.
    """
    ordered = [entry.p50_ms, entry.p95_ms, entry.p99_ms, entry.p999_ms]
    known = [value for value in ordered if value is not None]
    if any(low > high for low, high in pairwise(known)):
        yield f"percentiles fall: {known}"
    rate = 1000 / entry.mean_ms if entry.mean_ms else math.inf
    if not math.isclose(rate, entry.queries_per_second, rel_tol=_ROUNDING):
        yield f"{entry.queries_per_second!r} queries a second, a mean of {entry.mean_ms!r} ms"
    if encoded is None or not isinstance(encoded.database, Codes):
        return
    if entry.bits != encoded.database.bits:
        yield f"bits are {entry.bits}, the codes have {encoded.database.bits}"
    size = entry.database if entry.resampled_from is None else entry.resampled_from
    if size != len(encoded.database):
        yield f"a database of {size:,} codes, the fit has {len(encoded.database):,}"


def histogram_differences(
    arrays: Mapping[str, NDArray[Any]],
    about: Mapping[str, str],
    encoded: EncodedSplit,
    *,
    resampled: bool,
) -> Iterator[str]:
    """Count distances again.

    Args:
        arrays: Counts by database size.
        about: How larger databases were drawn: ``seed`` and ``redraw``.
        encoded: The fit's codes.
        resampled: Whether to draw larger databases again as well.
    """
    query, database = encoded.query, encoded.database
    if not isinstance(query, Codes) or not isinstance(database, Codes):
        yield "distances of embeddings"
        return
    for size, counts in arrays.items():
        searched = database
        if int(size) != len(database):
            if not resampled:
                continue
            searched = resample(
                database,
                encoded.database_labels,
                int(size),
                seed=int(about["seed"]),
                redraw=float(about["redraw"]),
                way=Resampling(about.get("resampling", Resampling.FLIP)),
            )
        if not np.array_equal(counts, distance_histogram(query, searched)):
            yield f"distances to {int(size):,} codes are not those of the codes"
