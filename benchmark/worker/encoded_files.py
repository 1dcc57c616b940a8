"""Codes of image files in one .npz file, with the paths and the fit that made them."""

from __future__ import annotations

import io
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError
from hashbench.core.files import write_atomically


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFiles:
    """The codes or embeddings of image files, as ``hashbench encode`` writes them.

    Attributes:
        encoded: One row a file.
        paths: The files, in the same order.
        fit_id: The cell whose method encoded them.
        fit_record: The record id of the fit.
    """

    encoded: Codes | Embeddings
    paths: Sequence[str]
    fit_id: str
    fit_record: str

    def write(self, file: Path) -> None:
        """Write a compressed .npz that numpy reads without pickle.

        It holds ``paths``, ``fit_id``, ``fit_record``, and either ``codes``, uint8
        (N, ceil(bits / 8)) with the first bit highest, and ``bits``, or ``embeddings``, float32
        (N, D).

        Raises:
            StoreError: If it cannot be written.
        """
        arrays: dict[str, Any] = {
            "paths": np.array(self.paths, dtype=np.str_),
            "fit_id": np.array(self.fit_id),
            "fit_record": np.array(self.fit_record),
        }
        if isinstance(self.encoded, Codes):
            arrays |= {"codes": self.encoded.packed, "bits": np.array(self.encoded.bits)}
        else:
            arrays["embeddings"] = self.encoded.values
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomically(file, buffer.getvalue())

    @classmethod
    def read(cls, file: Path) -> EncodedFiles:
        """Read a file that `write` wrote.

        Raises:
            DataError: If it is missing or was not written by `write`.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                found = cls._from_arrays(arrays)
        except FileNotFoundError:
            raise DataError(f"{file}: no such file; hashbench encode makes one") from None
        except DataError as error:
            raise DataError(f"{file}: {error}; encode again") from None
        # A damaged archive can make the readers of zip, deflate and headers raise nearly anything,
        # MemoryError included; every such error means a damaged file.
        except Exception:
            raise DataError(f"{file}: not a file that hashbench encode wrote") from None
        if len(found.paths) != len(found.encoded):
            raise DataError(
                f"{file}: {len(found.paths)} paths for {len(found.encoded)} codes; encode again"
            )
        return found

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> EncodedFiles:
        """Check and convert the arrays of an archive.

        Raises:
            DataError: If codes or embeddings are invalid.
            ValueError: If paths or ids are not those of `write`.
        """
        paths, fit_id, fit_record = (arrays[key] for key in ("paths", "fit_id", "fit_record"))
        texts = all(array.dtype.kind == "U" for array in (paths, fit_id, fit_record))
        if not texts or paths.ndim != 1 or fit_id.ndim or fit_record.ndim:
            raise ValueError("paths and ids must be text")
        encoded: Codes | Embeddings = (
            Codes(arrays["codes"], operator.index(arrays["bits"].item()))
            if "codes" in arrays
            else Embeddings(arrays["embeddings"])
        )
        return cls(encoded, paths.tolist(), str(fit_id), str(fit_record))
