"""A collection of binary vectors in Milvus, on a server or in the embedded Milvus Lite."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import uuid
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError

TOKEN_VARIABLE = "HASHBENCH_MILVUS_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with a server's token, or ``user:password``: records keep parameters."""

FIRST_LITE_WITHOUT_BINARY = 3
"""From this major version on Milvus Lite has no binary vectors."""

_FIELD, _KEY = "code", "id"
_SECONDS_TO_CONNECT = 10.0
_BYTES_AT_ONCE = 1 << 22  # of an insertion; servers accept 64 MB at most, overhead included
_ROWS_AT_ONCE = 20_000
_ANSWERS_AT_ONCE = 1 << 18  # queries times neighbours: some megabytes
_QUERIES_AT_ONCE = 1000


def lite_problem() -> str | None:
    """Return why the embedded Milvus Lite cannot search binary codes; None if it can."""
    try:
        version = metadata.version("milvus-lite")
    except metadata.PackageNotFoundError:
        return "is not installed"
    if int(version.partition(".")[0]) >= FIRST_LITE_WITHOUT_BINARY:
        return f"{version} has no binary vectors"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a deprecation
            import_module("milvus_lite")
    except ImportError as error:  # version 2 needs pkg_resources, which setuptools 81 removed
        return f"{version} does not load ({error})"
    return None


class Collection:
    """A new collection in Milvus, dropped when it is closed or when the process ends normally.

    Args:
        uri: The server, or an empty string for Milvus Lite in a temporary folder.
        width: Bytes of a code.
        index: Type of the index, and its parameters under ``params``.

    Raises:
        ConfigError: If no server answers, or it refuses.
    """

    def __init__(self, uri: str, *, width: int, index: Mapping[str, Any]) -> None:
        self._milvus = import_module("pymilvus")
        folder = None if uri else Path(tempfile.mkdtemp(prefix="hashbench-milvus-"))
        place = uri or str(Path(str(folder)) / "codes.db")
        self._name = f"hashbench_{uuid.uuid4().hex}"
        try:
            with self._errors_named(
                f"no Milvus answers at {uri}" if uri else "Milvus Lite did not start"
            ):
                self._client = self._milvus.MilvusClient(
                    uri=place,
                    token=os.environ.get(TOKEN_VARIABLE, "") if uri else "",
                    timeout=_SECONDS_TO_CONNECT,
                )
        except ConfigError:
            _remove(folder)
            raise
        self.close = weakref.finalize(self, _end, self._client, self._name, folder)
        try:
            with self._errors_named("Milvus refused a collection"):
                self._make(width, index)
        except BaseException:
            self.close()
            raise

    def _make(self, width: int, index: Mapping[str, Any]) -> None:
        types, client = self._milvus.DataType, self._client
        schema = client.create_schema(auto_id=False)
        schema.add_field(_KEY, types.INT64, is_primary=True)
        schema.add_field(_FIELD, types.BINARY_VECTOR, dim=8 * width)
        indexes = client.prepare_index_params()
        indexes.add_index(_FIELD, metric_type="HAMMING", **index)
        client.create_collection(
            self._name, schema=schema, index_params=indexes, consistency_level="Strong"
        )

    def fill(self, packed: NDArray[np.uint8]) -> None:
        """Insert codes, uint8 (N, width); their positions are their ids.

        Raises:
            ConfigError: If the server refuses.
        """
        step = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // packed.shape[1]))
        with self._errors_named("Milvus took no codes"):
            for start in range(0, len(packed), step):
                rows = enumerate(packed[start : start + step], start)
                self._client.insert(
                    self._name, [{_KEY: at, _FIELD: code.tobytes()} for at, code in rows]
                )
            self._client.load_collection(self._name)

    def search(
        self, packed: NDArray[np.uint8], k: int, *, params: Mapping[str, Any]
    ) -> Iterator[Sequence[tuple[int, float]]]:
        """Yield the ids and distances of the neighbours of each query, at most k.

        Raises:
            ConfigError: If the server refuses.
        """
        step = max(1, min(_QUERIES_AT_ONCE, _ANSWERS_AT_ONCE // k))
        for start in range(0, len(packed), step):
            with self._errors_named("Milvus did not search"):
                found = self._client.search(
                    self._name,
                    data=[code.tobytes() for code in packed[start : start + step]],
                    anns_field=_FIELD,
                    limit=k,
                    search_params={"metric_type": "HAMMING", "params": dict(params)},
                )
            for hits in found:
                yield [(int(hit[_KEY]), float(hit["distance"])) for hit in hits]

    def served_by(self, *, lite: bool) -> str:
        """Return name and version of the server or of Milvus Lite."""
        if lite:
            return f"Milvus Lite {metadata.version('milvus-lite')}"
        with self._errors_named("Milvus does not report its version"):
            return f"Milvus {self._client.get_server_version()}"

    @contextmanager
    def _errors_named(self, what: str) -> Iterator[None]:
        """Turn an error of the library, which logs pages of it, into one line."""
        with quiet():
            try:
                yield
            except self._milvus.MilvusException as error:
                why = " ".join(str(getattr(error, "message", error)).split())
                raise ConfigError(f"engine 'milvus': {what}: {why:.200}") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pymilvus from logging a traceback of an error that it raises anyway."""
    logger = logging.getLogger("pymilvus")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _end(client: Any, name: str, folder: Path | None) -> None:
    """Drop the collection, or stop Milvus Lite and remove its folder."""
    with quiet(), suppress(Exception):  # the server may be gone; there is nothing else to do
        if folder is None:
            client.drop_collection(name)
        client.close()
    if folder is not None:
        with suppress(Exception):
            manager = import_module("milvus_lite.server_manager")
            manager.server_manager_instance.release_server(str(folder / "codes.db"))
    _remove(folder)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
