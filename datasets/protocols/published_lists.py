"""Write a protocol as the list files that other programs of the field read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import ConfigError, DataError, StoreError
from hashbench.core.files import TEMPORARY_PREFIX, write_atomically
from hashbench.datasets.loading import LoadedData
from hashbench.datasets.reading.list_file import ImageList, write_list

FILES: Final = {"train": "train.txt", "query": "test.txt", "database": "database.txt"}
CLASSES: Final = "classes.txt"


def write_lists(loaded: LoadedData, names: Sequence[str] | None, folder: Path) -> dict[str, int]:
    """Write a list for each role, with a line ``path 0 1 0 ...`` an image, and the class names.

    Args:
        loaded: A dataset, cut by a protocol.
        names: A path for each image; None if images have no files: they are then named
            ``DATASET/POSITION``.
        folder: The folder to write, which must not exist or be empty; on an error none is left.

    Returns:
        The number of lines of each file.

    Raises:
        ConfigError: If the folder exists and is not empty.
        DataError: If there is not one name an image, or a list cannot hold one of them.
        StoreError: If the files cannot be written.
    """
    data, dataset = loaded.data, loaded.protocol.dataset
    width = len(str(len(data)))
    names = names or [f"{dataset}/{position:0{width}d}" for position in range(len(data))]
    if len(names) != len(data):
        raise DataError(f"{dataset}: expected {len(data)} names of images, found {len(names)}")
    with _whole(folder) as work:
        for role, file in FILES.items():
            write_list(work / file, _lines(names, data.labels, getattr(loaded.split, role)))
        write_atomically(work / CLASSES, "".join(f"{name}\n" for name in data.classes).encode())
    return {file: len(getattr(loaded.split, role)) for role, file in FILES.items()}


def _lines(
    names: Sequence[str], labels: NDArray[np.uint8], positions: NDArray[np.int64]
) -> ImageList:
    chosen = tuple(names[position] for position in positions)
    return ImageList(chosen, labels[positions], numbered=labels.shape[1] == 1)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which gets its final name once everything is written."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigError(f"{folder}: exists and is not empty; name a new folder, or empty it")
    whole = folder.absolute()
    work = whole.with_name(f"{TEMPORARY_PREFIX}{whole.name}")
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        yield work
        work.replace(whole)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
