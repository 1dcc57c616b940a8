"""The restricted unpickler reads arrays and plain values, and calls nothing that a file names."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.reading.array_pickle import read_array_pickle


class Calls:
    """Pickles to a call of a function with arguments."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self._call


def refused(content: bytes) -> str:
    """The message with which a pickle is refused."""
    with pytest.raises(DataError) as caught:
        read_array_pickle(content, "batch")
    message = str(caught.value)
    assert message.startswith("batch: expected a whole pickle of arrays")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_bytes_lists_and_numbers_are_read(protocol: int) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    value = {b"data": array, b"labels": [1, 2], b"label": b"\xff\x00", b"size": 7, b"s": "s"}
    read = read_array_pickle(pickle.dumps(value, protocol=protocol), "batch")
    np.testing.assert_array_equal(read.pop(b"data"), array)
    assert read == {b"labels": [1, 2], b"label": b"\xff\x00", b"size": 7, b"s": "s"}


@pytest.mark.parametrize("protocol", range(6))
def test_a_command_in_a_pickle_is_refused_and_never_run(protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    content = pickle.dumps({b"data": Calls(os.system, f"touch {mark}")}, protocol=protocol)
    assert "posix.system" in refused(content)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Calls(eval, "1"), "eval"),
        (Calls(getattr, b"", "join"), "getattr"),
        (Calls(np.load, "x.npy"), "load"),
        (OrderedDict(a=1), "OrderedDict"),
        (Path("x"), "Path"),
        (Calls(np.fromfile, "x"), "fromfile"),
    ],
)
def test_any_other_name_is_refused(value: object, name: str) -> None:
    assert name in refused(pickle.dumps({b"data": value}, protocol=2))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "not uint8"),
        (np.array([{}], dtype=object), "not uint8"),
        (np.asfortranarray(np.zeros((2, 3), np.uint8)), "not uint8 in C order"),
        (np.zeros((1, 1, 1, 1, 1), np.uint8), "not uint8 in C order"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, message: str) -> None:
    assert message in refused(pickle.dumps({b"data": array}, protocol=2))


def test_a_shape_that_the_bytes_do_not_fill_is_refused() -> None:
    content = pickle.dumps({b"data": np.zeros((3, 4), np.uint8)}, protocol=2)
    assert content.count(b"K\x03K\x04\x86") == 1
    assert "do not fill its shape (3, 5)" in refused(
        content.replace(b"K\x03K\x04\x86", b"K\x03K\x05\x86")
    )


def test_an_array_that_is_never_filled_is_refused() -> None:
    content = b"\x80\x02}U\x04datacnumpy\nndarray\n)Rs."
    assert "without its shape" in refused(content)


@pytest.mark.parametrize("value", [[1], 7, b"x"])
def test_what_is_not_a_dict_is_refused(value: object) -> None:
    assert f"a {type(value).__name__}, not a dict" in refused(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"rubbish", b"\x80\x02}", b"\x80\x09}."])
def test_what_is_not_a_whole_pickle_is_refused(content: bytes) -> None:
    refused(content)


@pytest.mark.parametrize("put", [b"r\xff\xff\xff\xff", b"p99999999999\n"])
def test_a_number_that_would_reserve_memory_without_end_is_refused(put: bytes) -> None:
    assert "PUT with the number" in refused(b"\x80\x02}" + put + b".")


def test_lists_within_lists_do_not_make_an_endless_message() -> None:
    nested = b"]" + b"q\x000h\x00h\x00\x86" * 40
    assert "an array of type tuple" in refused(b"\x80\x02cnumpy\ndtype\n" + nested + b"\x85R.")


def test_a_pickle_cannot_change_what_stands_in_for_its_names() -> None:
    for name in (b"c_codecs\nencode\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"):
        refused(b"\x80\x02" + name + b"}U\x01aK\x01sb.")
    array = np.arange(4, dtype=np.uint8)
    read = read_array_pickle(pickle.dumps({b"data": array}, protocol=2), "batch")
    np.testing.assert_array_equal(read[b"data"], array)
