"""Reading IDX files, whole and damaged."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hashbench.core.errors import DataError
from hashbench.datasets.reading.idx import read_idx

ToIdx = Callable[[NDArray[np.uint8]], bytes]


@pytest.fixture
def array() -> NDArray[np.uint8]:
    return np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2)


@pytest.fixture
def content(array: NDArray[np.uint8], to_idx: ToIdx) -> bytes:
    return to_idx(array)


def test_a_hand_written_file_gives_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 255]))
    assert read_idx(path, (3,)).tolist() == [7, 0, 255]


@pytest.mark.parametrize("name", ["plain", "zipped.gz", "zipped-without-the-suffix"])
def test_gzip_is_seen_from_the_content(
    name: str, tmp_path: Path, array: NDArray[np.uint8], content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if "zipped" in name else content)
    np.testing.assert_array_equal(read_idx(path, (5, 3, 2)), array)


def test_an_open_dimension_takes_any_number(
    tmp_path: Path, array: NDArray[np.uint8], content: bytes
) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_idx(path, (None, 3, 2)), array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:-1], "expected 30 bytes after the header, found 29"),
        (lambda c: c + b"\0", "expected 30 bytes after the header, found 31"),
        (lambda c: c[:10], "expected a header of 16 bytes, found 10 bytes"),
        (lambda c: b"", "magic 00000803\\), found an empty file"),
        (lambda c: b"\0\0\x0d\x03" + c[4:], "magic 00000803\\), found 00000d03"),
        (lambda c: b"\0\0\x08\x01" + c[4:], "magic 00000803\\), found 00000801"),
        (lambda c: b"<html>not found</html>", "magic 00000803\\), found 3c68746d"),
        (lambda c: c[:7] + b"\x06" + c[8:], "expected the shape 5 x 3 x 2, found 6 x 3 x 2"),
    ],
    ids=["truncated", "too long", "in the header", "empty", "float", "1-d", "html", "shape"],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
def test_a_damaged_file_is_named_with_what_was_expected_and_found(
    change: Callable[[bytes], bytes], message: str, zipped: bool, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "images-idx3"
    path.write_bytes(gzip.compress(change(content)) if zipped else change(content))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, (5, 3, 2))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda z: z[:-9],
        lambda z: z[:20],
        lambda z: z[:-8] + b"\1\2\3\4" + z[-4:],
        lambda z: z[:10] + b"\xff" * 8 + z[18:],
    ],
    ids=["cut trailer", "cut body", "checksum", "body overwritten"],
)
def test_a_damaged_gzip_is_an_error_that_names_the_file(
    change: Callable[[bytes], bytes], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(change(gzip.compress(content)))
    with pytest.raises(DataError, match=r"images\.gz: expected a whole gzip file, found: "):
        read_idx(path, (5, 3, 2))


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: cannot be read: No such file.*fetch"):
        read_idx(tmp_path / "nowhere", (5,))
