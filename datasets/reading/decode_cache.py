"""Images decoded once into a memory-mapped file, which is whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashbench.core.canonical import digest, digest_array
from hashbench.core.errors import DataError, StoreError
from hashbench.core.files import write_atomically
from hashbench.datasets.reading.decode_partial import PartialPixels, header
from hashbench.datasets.reading.decoding import decode_square

Progress = Callable[[int, int], None]

_BATCH_BYTES = 32 * 2**20  # of decoded pixels: what is lost at most when a run is killed
_MOST_IN_BATCH = 1024


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to decode.

    Attributes:
        name: Unique; the path below the dataset's folder, with forward slashes.
        path: Where it is.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class ResizeRule:
    """Shorter side to ``side`` pixels, antialiased, the centre square kept; see `decode_square`.

    Attributes:
        side: Pixels of the result's sides.
    """

    side: int = 256

    def __str__(self) -> str:
        return f"cover{self.side}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be decoded, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImages:
    """The images that could be read, in the order of the files.

    Attributes:
        images: uint8 (M, side, side, 3) RGB, memory-mapped, not writable.
        kept: int64 (M,), rising: the positions of the readable ones among the files.
        unreadable: The others.
        sha256: Of the pixels, as `digest_array` computes it.
        path: The ``.npy`` file that holds them.
    """

    images: NDArray[np.uint8]
    kept: NDArray[np.int64]
    unreadable: tuple[Unreadable, ...]
    sha256: str
    path: Path


def decode_images(
    files: Sequence[ImageFile],
    *,
    rule: ResizeRule,
    cache: Path,
    progress: Progress | None = None,
    workers: int | None = None,
    verify: bool = False,
) -> DecodedImages:
    """Decode files, or open what an earlier call decoded of the same files.

    The cache is ``cache/RULE-DIGEST.npy``, the digest being that of names, sizes and times of
    change, with a ``.json`` beside it. It is written under a temporary name; a call that was
    killed is gone on with where it stopped. Two calls at once do not disturb each other: the
    second waits. Memory does not grow with the number of files.

    Args:
        files: Files with names that are all different.
        rule: What is done to each.
        cache: The folder, made if it is not there.
        progress: Called with the files done so far and their number.
        workers: Threads that decode; None takes one for each core that may be used.
        verify: Read the whole cache and compare its checksum; else only its size and header.

    Returns:
        The images.

    Raises:
        DataError: If there is no file, two have one name, or none can be read.
        StoreError: If the cache cannot be written; what was decoded is kept for the next call.
    """
    _check_names(files)
    path = cache / f"{rule}-{_digest_files(files)}.npy"
    with suppress(DataError):  # not there yet, or damaged: decoded again
        return open_decoded(path, verify=verify)
    try:
        _fill(path, files, rule=rule, progress=progress or _silent, workers=workers, verify=verify)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. What was decoded is kept; make room "
            f"or name another place, then run again"
        ) from error
    return open_decoded(path)


def open_decoded(path: Path, *, verify: bool = False) -> DecodedImages:
    """Open a cache that `decode_images` wrote; the files it was made of need not be there any more.

    Args:
        path: The ``.npy`` file, with its ``.json`` beside it.
        verify: Read all pixels and compare their checksum; else only size and header.

    Returns:
        The images.

    Raises:
        DataError: If a file is missing or is not what was written.
    """
    try:
        facts = json.loads(path.with_suffix(".json").read_bytes())
        rows = len(facts["kept"])
        with path.open("rb") as file:
            start = file.read(len(header(0, facts["side"])))
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no whole cache of decoded images: {error}") from None
    wanted = header(rows, facts["side"])
    if start != wanted or size != len(wanted) + rows * facts["side"] ** 2 * 3:
        raise DataError(f"{path}: expected {rows} images of side {facts['side']}, found others")
    images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    if verify and digest_array(images) != facts["sha256"]:
        raise DataError(f"{path}: expected SHA-256 {facts['sha256']}, found another; delete it")
    return DecodedImages(
        images=images,
        kept=np.array(facts["kept"], dtype=np.int64),
        unreadable=tuple(Unreadable(name, reason) for name, reason in facts["unreadable"]),
        sha256=facts["sha256"],
        path=path,
    )


def _fill(
    path: Path,
    files: Sequence[ImageFile],
    *,
    rule: ResizeRule,
    progress: Progress,
    workers: int | None,
    verify: bool,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        with suppress(DataError):
            open_decoded(path, verify=verify)
            return  # by another process, while this one waited
        with PartialPixels(path, rule.side) as pixels:
            progress(pixels.done, len(files))
            _decode(pixels, files, rule=rule, progress=progress, workers=workers)
            _close(pixels, path, files=files, rule=rule)


def _decode(
    pixels: PartialPixels,
    files: Sequence[ImageFile],
    *,
    rule: ResizeRule,
    progress: Progress,
    workers: int | None,
) -> None:
    """Decode what is left, a batch at a time, so that memory holds no more than that."""
    size = min(max(_BATCH_BYTES // (3 * rule.side**2), 1), _MOST_IN_BATCH)
    decode = partial(decode_square, side=rule.side)
    # Threads: decoding and resizing leave the interpreter to others.
    with warnings.catch_warnings(), ThreadPoolExecutor(workers or _cores()) as pool:
        warnings.simplefilter("ignore")  # odd metadata, of pixels that are whole
        while batch := files[pixels.done : pixels.done + size]:
            results = list(pool.map(decode, (file.path for file in batch)))
            pixels.append(results, [file.name for file in batch])
            progress(pixels.done, len(files))


def _close(
    pixels: PartialPixels, path: Path, *, files: Sequence[ImageFile], rule: ResizeRule
) -> None:
    if not pixels.written:
        pixels.discard()
        name, reason = pixels.unreadable[0]
        raise DataError(
            f"none of {len(pixels.unreadable)} files can be read as an image (first: {name}: "
            f"{reason}); name the folder that the images are in"
        )
    facts = {
        "rule": str(rule),
        "side": rule.side,
        "sha256": pixels.sha256,
        "names": [file.name for file in files],
        "kept": pixels.kept,
        "unreadable": pixels.unreadable,
    }
    # First, so that the pixels get their name only when all is there.
    write_atomically(path.with_suffix(".json"), json.dumps(facts).encode())
    pixels.finish()


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _check_names(files: Sequence[ImageFile]) -> None:
    if not files:
        raise DataError("expected at least one image file, found none")
    name, times = Counter(file.name for file in files).most_common(1)[0]
    if times > 1:
        raise DataError(f"expected files of different names, found {name!r} {times} times")


def _digest_files(files: Sequence[ImageFile]) -> str:
    return digest([(file.name, *_stamp(file.path)) for file in files])[:16]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)  # reported as unreadable when its turn comes
    return (found.st_size, found.st_mtime_ns)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _silent(_done: int, _total: int) -> None:
    pass
