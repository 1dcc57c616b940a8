"""Canonical JSON and the digests made from it; expected digests come from sha256sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.canonical import (
    canonical_json,
    digest,
    digest_array,
    digest_bytes,
    digest_file,
)

# printf '{"a":[true,null,"é",1.5],"b":{"c":1e-05}}' | sha256sum
SHA_OF_EXAMPLE = "73ea2ae28fc3624715694ac2dd7e103ab69a034c5147d1197b2c15e22b24dbd9"
# printf 'abc' | sha256sum
SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
# printf '\x01\x00\x02\x00' | sha256sum
SHA_OF_ONE_TWO = "7b11c1133330cd161071bf23a0c9b6ce5320a8f3a0f83620035a72be46df4104"


def test_keys_are_sorted_and_nothing_is_spaced_or_escaped() -> None:
    value = {"b": {"c": 1e-5}, "a": (True, None, "é", 1.5)}
    assert canonical_json(value) == '{"a":[true,null,"é",1.5],"b":{"c":1e-05}}'.encode()
    assert digest(value) == SHA_OF_EXAMPLE


def test_the_order_of_keys_does_not_change_the_digest() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_an_integer_is_not_its_float() -> None:
    assert digest(1) != digest(1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_a_number_that_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, np.float32(1.0), object()])
def test_what_is_not_plain_data_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_bytes_and_files_have_the_digest_that_sha256sum_gives(tmp_path: Path) -> None:
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert digest_bytes(b"abc") == SHA_OF_ABC
    assert digest_file(file) == SHA_OF_ABC


def test_a_file_of_several_blocks_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "large"
    data = bytes(range(256)) * 4096 * 3 + b"end"
    file.write_bytes(data)
    assert digest_file(file) == digest_bytes(data)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, 2], dtype="<u2"),
        np.array([[1], [2]], dtype="<u2"),
        np.array([[1, 9], [2, 9]], dtype="<u2")[:, :1],
        np.array([[1, 2]], dtype="<u2").T,
    ],
    ids=["vector", "matrix", "strided", "transposed"],
)
def test_an_array_is_digested_by_its_elements_in_c_order(array: np.ndarray) -> None:
    assert digest_array(array) == SHA_OF_ONE_TWO
