"""Latency of whole queries, from the image file to the answer: decode, encode, search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashbench.core.codes import Codes
from hashbench.core.record import FitRecord
from hashbench.datasets.loading import load_data
from hashbench.search.engine import IndexEngine
from hashbench.search.latency import percentile
from hashbench.worker.encoder import Encoder
from hashbench.worker.image_files import decode_image

STAGES = ("decode", "encode", "search")
_IMAGES = 50
_WARM_UP = 3
_MS = 1e3


def write_queries(fit: FitRecord, folder: Path, *, root: Path | None = None) -> list[Path]:
    """Write the first query images of a fit's dataset as PNG files.

    Raises:
        DataError: If the dataset is not on this machine.
    """
    data = fit.cell.data
    loaded = load_data(data.name, data.protocol, subset=data.subset, root=root)
    files = []
    for position in loaded.split.query[:_IMAGES]:
        files.append(folder / f"query-{position}.png")
        Image.fromarray(loaded.data.images[position]).save(files[-1])
    return files


def time_whole_queries(
    encoder: Encoder,
    engine: IndexEngine,
    files: Sequence[Path],
    *,
    k: int,
    samples: int,
    seconds: float,
) -> dict[str, Any]:
    """Time single queries by image files, over and over, in three stages.

    The image file is read from the system's cache; preparing an image (resizing, normalising)
    belongs to the stage ``encode``. Stops after some samples or seconds, whichever comes first.

    Returns:
        The fields of a `LatencyEntry` that are times; ``facts`` holds the median of each stage.
    """
    names = cycle(files)
    warmed = time.perf_counter()
    for file in islice(names, _WARM_UP):
        _time_one(encoder, engine, file, k=k)
    warmed = time.perf_counter() - warmed
    taken: list[tuple[float, float, float]] = []
    end = time.perf_counter() + seconds
    while not taken or (len(taken) < samples and time.perf_counter() < end):
        taken.append(_time_one(encoder, engine, next(names), k=k))
    stages: NDArray[np.float64] = np.array(taken) * _MS
    whole = stages.sum(axis=1)
    medians = {f"{name}_ms": float(np.median(stages[:, i])) for i, name in enumerate(STAGES)}
    return {
        "calls": len(taken),
        "warmup_seconds": warmed,
        "mean_ms": float(whole.mean()),
        "p50_ms": percentile(whole, 0.5),
        "p95_ms": percentile(whole, 0.95),
        "p99_ms": percentile(whole, 0.99),
        "p999_ms": percentile(whole, 0.999),
        "queries_per_second": float(_MS / whole.mean()),
        "facts": medians,
        "includes_encoding": True,
    }


def _time_one(
    encoder: Encoder, engine: IndexEngine, file: Path, *, k: int
) -> tuple[float, float, float]:
    start = time.perf_counter()
    image = decode_image(file, encoder.protocol)[None]
    decoded = time.perf_counter()
    code = encoder.encode(image)
    encoded = time.perf_counter()
    if not isinstance(code, Codes):
        raise TypeError("search engines take codes, not embeddings")
    engine.search(code, k)
    return decoded - start, encoded - decoded, time.perf_counter() - encoded
