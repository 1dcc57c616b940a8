"""Decode images once into a memory-mapped file that is either complete or absent."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hashbench.core.canonical import digest, digest_array
from hashbench.core.errors import DataError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX, write_atomically
from hashbench.datasets.reading.decoding import decode_square

Progress = Callable[[int, int], None]

_BATCH_BYTES = 32 * 2**20  # of decoded pixels: the most work lost when a process is killed
_MOST_IN_BATCH = 1024
_BLOCK = 1 << 22
_HEADER_BYTES = 128  # a multiple of 64, so that the pixels are aligned
_FIELDS_FROM = 10  # byte of the header: after the magic string, version and length


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file to decode.

    Attributes:
        name: Unique; the path below the dataset's folder, with forward slashes.
        path: The file on the disk.
    """

    name: str
    path: Path

    def open(self) -> Path | BinaryIO:
        """Return the path, or an open file, to read the image from."""
        return self.path

    def stamp(self) -> tuple[int, int]:
        """Return two numbers that change when the content does: size and modification time."""
        try:
            found = self.path.stat()
        except OSError:
            return (-1, -1)  # reported as unreadable when it is decoded
        return (found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be decoded, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImages:
    """The images that could be read, in the order of the files.

    Attributes:
        images: uint8 (M, side, side, 3) RGB, memory-mapped, not writable.
        kept: int64 (M,), rising: the positions of the readable ones among the files.
        unreadable: The other files.
        sha256: Of the pixels, as `digest_array` computes it.
        path: The ``.npy`` file of the images.
    """

    images: NDArray[np.uint8]
    kept: NDArray[np.int64]
    unreadable: tuple[Unreadable, ...]
    sha256: str
    path: Path


def decode_images(
    files: Sequence[ImageFile],
    *,
    side: int,
    cache: Path,
    progress: Progress | None = None,
    workers: int | None = None,
    verify: bool = False,
) -> DecodedImages:
    """Decode files with `decode_square`, or open what an earlier call decoded of the same files.

    The cache is ``cache/coverSIDE-DIGEST.npy``, with a ``.json`` beside it; the digest is that of
    the files' names, sizes and modification times. While it is written it has a temporary name; a
    call after one that was killed continues where that one stopped. Of two calls at once the second
    waits for the first. Memory does not grow with the number of files.

    Args:
        files: Files with names that are all different.
        side: Side of the decoded images, in pixels.
        cache: The folder, made if it does not exist.
        progress: Called with the number of files done so far and their total.
        workers: Threads that decode; None takes one for each usable core.
        verify: Read an existing cache and compare its checksum; else only its size and header.

    Raises:
        DataError: If there is no file, two have one name, or none can be read.
        StoreError: If the cache cannot be written; what was decoded is kept for the next call.
    """
    _check_names(files)
    path = cache / f"cover{side}-{_digest_files(files)}.npy"
    with suppress(DataError):  # absent or damaged: decoded again
        return open_decoded(path, verify=verify)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            with suppress(DataError):
                return open_decoded(path, verify=verify)  # another process wrote it meanwhile
            _decode(path, files, side=side, progress=progress or _silent, workers=workers)
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. Decoded images are kept; make room "
            f"or name another folder, then run again"
        ) from error
    return open_decoded(path)


def open_decoded(path: Path, *, verify: bool = False) -> DecodedImages:
    """Open a cache that `decode_images` wrote; the image files themselves are not needed.

    Args:
        path: The ``.npy`` file, with its ``.json`` beside it.
        verify: Read all pixels and compare their checksum; else only size and header.

    Raises:
        DataError: If a file is missing or is not what was written.
    """
    try:
        facts = json.loads(path.with_suffix(".json").read_bytes())
        count, side = len(facts["kept"]), facts["side"]
        header = _header(count, side)
        with path.open("rb") as file:
            found = file.read(len(header)), os.fstat(file.fileno()).st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a complete cache of decoded images: {error}") from None
    if found != (header, len(header) + count * side * side * 3):
        raise DataError(f"{path}: expected {count} images of side {side}, found others")
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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a folder, or a file made if absent; it ends with the process at the latest."""
    descriptor = os.open(path, os.O_RDONLY | (0 if path.is_dir() else os.O_CREAT), 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _decode(
    path: Path, files: Sequence[ImageFile], *, side: int, progress: Progress, workers: int | None
) -> None:
    """Write the cache under a temporary name, with a state file that says what is in it."""
    pixels = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    state = pixels.with_suffix(".json")
    pixels.touch()
    with pixels.open("r+b") as file:
        done, unreadable, sha = _resume(file, state, side)
        progress(done, len(files))
        for batch, results in _batches(files[done:], side=side, workers=workers):
            for place, (image_file, result) in enumerate(zip(batch, results, strict=True)):
                if isinstance(result, str):
                    unreadable.append((done + place, image_file.name, result))
                else:
                    file.write(result.data)
                    sha.update(result.data)
            _sync(file)  # before the state says so
            done += len(batch)
            facts = {"done": done, "unreadable": unreadable, "sha256": sha.hexdigest()}
            write_atomically(state, json.dumps(facts).encode())
            progress(done, len(files))
        _refuse_no_images(files, unreadable, written=(pixels, state))
        file.seek(0)
        file.write(_header(done - len(unreadable), side))
        _sync(file)
    bad = {position for position, _, _ in unreadable}
    facts = {
        "rule": f"cover{side}",
        "side": side,
        "sha256": sha.hexdigest(),
        "names": [file.name for file in files],
        "kept": [position for position in range(len(files)) if position not in bad],
        "unreadable": [(name, reason) for _, name, reason in unreadable],
    }
    # The description first: once the pixels have their name, the cache is complete.
    write_atomically(path.with_suffix(".json"), json.dumps(facts).encode())
    pixels.replace(path)
    state.unlink()


def _resume(file: BinaryIO, state: Path, side: int) -> tuple[int, list[tuple[int, str, str]], Any]:
    """Position the file after the pixels that the state describes, if they are intact.

    Returns:
        The number of files done; position, name and reason of each unreadable one; and the running
        SHA-256 of the pixels. All empty, as is the file, if there is no state or no match.
    """
    sha = hashlib.sha256()
    file.write(_header(0, side))
    with suppress(OSError, ValueError, KeyError, TypeError):
        facts = json.loads(state.read_bytes())
        unreadable = [(place, name, reason) for place, name, reason in facts["unreadable"]]
        file.truncate(_HEADER_BYTES + (facts["done"] - len(unreadable)) * side * side * 3)
        while block := file.read(_BLOCK):
            sha.update(block)
        if sha.hexdigest() == facts["sha256"]:
            return facts["done"], unreadable, sha
    file.seek(_HEADER_BYTES)
    file.truncate()
    return 0, [], hashlib.sha256()


def _header(count: int, side: int) -> bytes:
    """Return the ``.npy`` header of the images; its length does not depend on their number."""
    facts = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side, 3)}
    fields = (repr(facts).ljust(_HEADER_BYTES - _FIELDS_FROM - 1) + "\n").encode("latin1")
    return npy.magic(1, 0) + len(fields).to_bytes(2, "little") + fields


def _batches(
    files: Sequence[ImageFile], *, side: int, workers: int | None
) -> Iterator[tuple[Sequence[ImageFile], list[NDArray[np.uint8] | str]]]:
    """Decode a batch at a time, so that memory holds no more than one."""

    def decode(file: ImageFile) -> NDArray[np.uint8] | str:
        return decode_square(file.open(), side)

    size = min(max(_BATCH_BYTES // (3 * side**2), 1), _MOST_IN_BATCH)
    # Threads, because decoding and resizing release the interpreter's lock.
    with warnings.catch_warnings(), ThreadPoolExecutor(workers or _cores()) as pool:
        warnings.simplefilter("ignore")  # about odd metadata of readable images
        for start in range(0, len(files), size):
            batch = files[start : start + size]
            yield batch, list(pool.map(decode, batch))


def _refuse_no_images(
    files: Sequence[ImageFile],
    unreadable: Sequence[tuple[int, str, str]],
    *,
    written: Sequence[Path],
) -> None:
    if len(unreadable) < len(files):
        return
    for path in written:
        path.unlink()
    _, name, reason = unreadable[0]
    raise DataError(
        f"none of {len(files)} files can be read as an image (first: {name}: {reason}); name the "
        f"folder that the images are in"
    )


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _check_names(files: Sequence[ImageFile]) -> None:
    if not files:
        raise DataError("expected at least one image file, found none")
    name, times = Counter(file.name for file in files).most_common(1)[0]
    if times > 1:
        raise DataError(f"expected files of different names, found {name!r} {times} times")


def _digest_files(files: Sequence[ImageFile]) -> str:
    return digest([(file.name, *file.stamp()) for file in files])[:16]


def _silent(_done: int, _total: int) -> None:
    pass
