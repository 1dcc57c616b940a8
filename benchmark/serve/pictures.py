"""Thumbnails of a dataset's images, by their place in a fit's query list or database."""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from http import HTTPStatus
from pathlib import Path
from typing import Final

from PIL import Image

from hashbench.core.cell import DataChoice, Subset
from hashbench.core.codes import Role
from hashbench.core.errors import HashbenchError
from hashbench.core.record import FitRecord
from hashbench.datasets.loading import LoadedData, load_data
from hashbench.serve.refusal import Refusal

SIDE: Final = 96
LARGEST_SIDE: Final = 512
_MOST_DATASETS: Final = 2
_RETRY_SECONDS: Final = 10.0  # after which a dataset that was not there is looked for again
_MUST_AGREE: Final = ("pixels", "query", "database")
_Key = tuple[str, str, Subset | None]  # dataset, protocol, subset


class Pictures:
    """Datasets in memory, or mapped into it, as far as thumbnails were asked for.

    Args:
        root: The user's data root, if one was named.

    Attributes:
        root: The same.
    """

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self._loaded: OrderedDict[_Key, LoadedData] = OrderedDict()
        self._failed: dict[_Key, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def thumbnail(self, fit: FitRecord, role: Role, index: int, *, side: int = SIDE) -> bytes:
        """A PNG of one image, made smaller where it is larger.

        Args:
            fit: Whose lists are meant.
            role: Which of them.
            index: The place in it.
            side: Largest width and height.

        Raises:
            Refusal: 404 if the list is shorter, or the fit's images are not at hand.
        """
        loaded = self._images(fit)
        positions = loaded.split.query if role is Role.QUERY else loaded.split.database
        if index >= len(positions):
            raise Refusal(
                HTTPStatus.NOT_FOUND, f"{role}: there are {len(positions)}, counted from 0"
            )
        return png(Image.fromarray(loaded.data.images[positions[index]]), side)

    def _images(self, fit: FitRecord) -> LoadedData:
        with self._lock:
            loaded = self._loaded_now(fit.cell.data)
        known = fit.data.checksums if fit.data else {}
        if any(loaded.checksums.get(name) != known.get(name) for name in _MUST_AGREE):
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                f"the images of {fit.cell.data.name} here are not those of {fit.fit_id}",
            )
        return loaded

    def _loaded_now(self, data: DataChoice) -> LoadedData:
        key = data.name, data.protocol, data.subset
        failed_at, why = self._failed.get(key, (0.0, ""))
        if why and time.monotonic() - failed_at < _RETRY_SECONDS:
            raise Refusal(HTTPStatus.NOT_FOUND, why)
        if key not in self._loaded:
            try:
                self._loaded[key] = load_data(*key[:2], subset=data.subset, root=self.root)
            except HashbenchError as error:
                why = f"no images of {data.name} here: {str(error).splitlines()[0]}"
                self._failed[key] = time.monotonic(), why
                raise Refusal(HTTPStatus.NOT_FOUND, why) from None
        self._loaded.move_to_end(key)
        while len(self._loaded) > _MOST_DATASETS:
            self._loaded.popitem(last=False)
        return self._loaded[key]


def png(image: Image.Image, side: int) -> bytes:
    """An image as PNG, in its own size or with its longer side made so long."""
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
