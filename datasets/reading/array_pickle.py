"""Read pickles of arrays, bytes, strings, numbers, lists and dicts, and nothing else.

A pickle may name any function to be called while it is read. Here every name is refused except the
few that arrays and bytes need, and those are replaced by small classes of this module that check
and keep their arguments: no function that a file names is ever called.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hashbench.core.errors import DataError

_REMEDY = "fetch the original archive again"
_ARRAY_STATE = 5
_MOST_DIMENSIONS = 4
_LONGEST_SIDE = 2**31
_MEMO_WRITES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})


def read_array_pickle(content: bytes, where: str) -> dict[bytes, Any]:
    """Read a pickle that holds one dict.

    Byte strings of Python 2 stay bytes. Arrays must be uint8 in C order.

    Returns:
        The dict, with plain values, and each array as uint8 that is not writable.

    Raises:
        DataError: If it is not such a pickle, is cut short, or names anything else; nothing that
            it names has been called then.
    """
    try:
        _check_memo(content)
        value = _Unpickler(content).load()
        if not isinstance(value, dict):
            raise pickle.UnpicklingError(f"a {type(value).__name__}, not a dict")
        return {key: _plain(item) for key, item in value.items()}
    # A damaged pickle can make the unpickler raise nearly any exception.
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{where}: expected a whole pickle of arrays, bytes, lists and numbers, found: {why}; "
            f"{_REMEDY}"
        ) from None


def _check_memo(content: bytes) -> None:
    """Refuse memo numbers that would make the unpickler reserve too much memory."""
    for operation, number, _ in pickletools.genops(content):
        if operation.name in _MEMO_WRITES and not 0 <= int(str(number)) < len(content):
            raise pickle.UnpicklingError(f"{operation.name} with the number {number}")


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")

    def find_class(self, module: str, name: str, /) -> Any:
        """Return the replacement of a name that pickled arrays and bytes need."""
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise pickle.UnpicklingError(f"the name {module}.{name}, which no image needs")
        return stand_in


class _Type:
    """Replaces ``numpy.dtype``; accepts only unsigned bytes."""

    __slots__ = ()

    def __init__(self, code: object, *_flags: object) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"an array of type {_short(code)}, not uint8")

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment, which unsigned bytes do not have."""


class _Array:
    """Replaces ``numpy.ndarray`` and the function that makes an empty one for its state to fill."""

    __slots__ = ("value",)

    def __init__(self, *_made_of: object) -> None:
        self.value: NDArray[np.uint8] | None = None

    def __setstate__(self, state: object) -> None:
        """Check and keep (version, shape, type, Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != _ARRAY_STATE:
            raise pickle.UnpicklingError("an array without its shape and bytes")
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Type) or fortran or not _is_shape(shape):
            raise pickle.UnpicklingError("an array that is not uint8 in C order")
        if not isinstance(content, bytes) or len(content) != math.prod(shape):
            raise pickle.UnpicklingError(f"an array whose bytes do not fill its shape {shape}")
        self.value = np.frombuffer(content, dtype=np.uint8).reshape(shape)


class _Encode:
    """Replaces ``_codecs.encode``, by which Python 3 writes bytes in the old protocols.

    It is an object without a dict, not a function, so that no file can set attributes on it.
    """

    __slots__ = ()

    def __call__(self, text: object, encoding: object) -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("text that is not encoded as latin1")
        return text.encode("latin1")


# NumPy 2 moved the function, and its pickles name the new module.
_STAND_INS = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _Encode(),
}


def _short(code: object) -> str:
    # The text of nested values can be far longer than the file.
    return repr(code[:8]) if isinstance(code, str | bytes) else type(code).__name__


def _is_shape(shape: object) -> TypeGuard[tuple[int, ...]]:
    return (
        isinstance(shape, tuple)
        and len(shape) <= _MOST_DIMENSIONS
        and all(isinstance(size, int) and 0 <= size <= _LONGEST_SIDE for size in shape)
    )


def _plain(item: object) -> object:
    if not isinstance(item, _Array):
        return item
    if item.value is None:
        raise pickle.UnpicklingError("an array without its shape and bytes")
    return item.value
