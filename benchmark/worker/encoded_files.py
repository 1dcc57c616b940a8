"""Codes of image files in one .npz file, with the paths and the fit that made them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError
from hashbench.core.files import write_atomically


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFiles:
    """What ``hashbench encode`` writes.

    Attributes:
        encoded: Codes or embeddings, one row a file.
        paths: The files, in the same order.
        fit_id: The cell whose method encoded them.
        fit_record: The very fit.
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
        """Read such a file.

        Raises:
            DataError: If it is missing or not one.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                encoded: Codes | Embeddings = (
                    Codes(arrays["codes"], int(arrays["bits"]))
                    if "codes" in arrays
                    else Embeddings(arrays["embeddings"])
                )
                paths = [str(path) for path in arrays["paths"]]
                found = cls(encoded, paths, str(arrays["fit_id"]), str(arrays["fit_record"]))
        except FileNotFoundError:
            raise DataError(f"{file}: no such file; hashbench encode makes one") from None
        except (OSError, ValueError, KeyError, AttributeError, TypeError, BadZipFile):
            raise DataError(f"{file}: not a file that hashbench encode wrote") from None
        if len(found.paths) != len(found.encoded):
            raise DataError(
                f"{file}: {len(found.paths)} paths for {len(found.encoded)} codes; encode again"
            )
        return found
