"""An array in a file, of which only the rows asked for are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

NPY, SAFETENSORS = ".npy", ".safetensors"


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """A .npy file, or a tensor of a .safetensors file; mapped anew whenever rows are read.

    A mapping that stayed open would keep every page ever read in the resident memory.

    Attributes:
        path: The file.
        tensor: Name of the tensor; of a .npy file it says nothing.
    """

    path: Path
    tensor: str

    def header(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Type and shape, without reading a row.

        Raises:
            DataError: If the file is missing or no such file.
        """
        with self._opened() as array:
            if self.path.suffix == NPY:
                return array.dtype, array.shape
            return array[:0].dtype, tuple(array.get_shape())

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """The rows ``start`` to ``stop - 1``, as an array of their own.

        Raises:
            DataError: If the file is missing or no such file.
        """
        with self._opened() as array:
            return np.array(array[start:stop], order="C")

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from safetensors import SafetensorError, safe_open

        try:
            if self.path.suffix == NPY:
                yield np.load(self.path, mmap_mode="r", allow_pickle=False)
                return
            with safe_open(self.path, framework="numpy") as tensors:
                yield tensors.get_slice(self.tensor)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file; the manifest names it") from None
        except (OSError, ValueError, EOFError, TypeError, SafetensorError) as error:
            why = " ".join(str(error).split())
            raise DataError(f"{self.path}: no array that can be read ({why:.120})") from None
