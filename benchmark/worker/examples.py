"""Example queries with their nearest images, shrunk and stored with an evaluation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.job import Job
from hashbench.core.record import FitRecord
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.store.codes import EncodedSplit
from hashbench.worker.retrieval import nearest_of

QUERIES: Final = 8
NEIGHBOURS: Final = 10
LARGEST: Final = 64  # pixels of an image's side; larger images are not stored at all
SIDE: Final = 32  # pixels of a stored image's side: 88 images in colour are 270 kB
_MUST_AGREE: Final = ("pixels", "query", "database")


def example_answers(job: Job, fit: FitRecord, encoded: EncodedSplit) -> dict[str, NDArray[Any]]:
    """Look up the nearest database images of a few queries, spaced evenly over all.

    Returns:
        ``queries``, int64 (Q,), positions in the query list; ``neighbours``, int64 (Q, K),
        positions in the database, nearest first, equal distances by position; ``distances``,
        float64 (Q, K); ``right``, uint8 (Q, K), whether a label is shared; ``query_images``, uint8
        (Q, h, w) or (Q, h, w, 3), and ``images``, (Q, K, h, w) or (Q, K, h, w, 3). Empty if
        the images are large, missing, or not those that were encoded.
    """
    if fit.cell.data.image_size > LARGEST:
        return {}
    loaded = _loaded(job, fit)
    if loaded is None or max(loaded.data.images.shape[1:3]) > LARGEST:
        return {}
    chosen = np.unique(np.linspace(0, len(encoded.query) - 1, QUERIES).astype(np.int64))
    distances, ids = nearest_of(_some(encoded.query, chosen), encoded.database, NEIGHBOURS)
    shared = encoded.query_labels[chosen][:, None, :] & encoded.database_labels[ids]
    images = loaded.data.images
    return {
        "queries": chosen,
        "neighbours": np.ascontiguousarray(ids),
        "distances": np.ascontiguousarray(distances),
        "right": np.asarray(shared.any(axis=2), dtype=np.uint8),
        "query_images": _small(images[loaded.split.query[chosen]], 1),
        "images": _small(images[loaded.split.database[ids]], 2),
    }


def _loaded(job: Job, fit: FitRecord) -> LoadedData | None:
    """Load the images of a fit; None if they are missing or differ from those encoded."""
    data = fit.cell.data
    try:
        loaded = load_data(data.name, data.protocol, subset=data.subset, root=job.data_root)
    except (ConfigError, DataError):
        return None
    known = fit.data.checksums if fit.data else {}
    same = all(loaded.checksums.get(name) == known.get(name) for name in _MUST_AGREE)
    return loaded if same else None


def _some(side: Codes | Embeddings, rows: NDArray[np.int64]) -> Codes | Embeddings:
    if isinstance(side, Codes):
        return Codes(side.packed[rows], side.bits)
    return Embeddings(side.values[rows])


def _small(images: NDArray[np.uint8], leading: int) -> NDArray[np.uint8]:
    """Shrink images, behind some leading axes, until no side is above `SIDE`."""
    height, width = images.shape[leading : leading + 2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(images)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    flat = images.reshape(-1, *images.shape[leading:])
    small = [np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BOX)) for each in flat]
    return np.stack(small).reshape(*images.shape[:leading], *small[0].shape)
