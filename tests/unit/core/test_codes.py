"""Packed codes, against cases packed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DataError

INF, NAN = float("inf"), float("nan")


def test_bits_are_packed_most_significant_first_and_padded_with_zeros() -> None:
    codes = Codes.from_outputs(np.array([[1.0, -1, 1, 1, -1, -1, -1, 1, 1, -1]]))
    assert codes.packed.tolist() == [[0b10110001, 0b10000000]]
    assert codes.bits == 10
    assert len(codes) == 1


@pytest.mark.parametrize("zero", [0.0, -0.0, 0])
def test_the_sign_of_zero_is_plus_one(zero: float) -> None:
    assert Codes.from_outputs(np.array([[zero, -1]])).signs().tolist() == [[1, -1]]


def test_signs_give_back_what_was_binarised() -> None:
    outputs = np.random.default_rng(0).normal(size=(7, 13))
    expected = np.where(outputs < 0, -1, 1)
    assert Codes.from_outputs(outputs).signs().tolist() == expected.tolist()


@pytest.mark.parametrize("bits", [1, 8, 9, 64, 65, 1024])
def test_differing_bits_counted_in_words_are_the_hamming_distance(bits: int) -> None:
    signs = np.random.default_rng(bits).choice([-1, 1], size=(2, bits))
    words = Codes.from_outputs(signs).words()
    assert words.shape == (2, -(-bits // 64))
    differing = sum(int(word).bit_count() for word in words[0] ^ words[1])
    assert differing == int((signs[0] != signs[1]).sum())


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_an_output_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="NaN or infinite"):
        Codes.from_outputs(np.array([[1.0, bad]]))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2)])
def test_outputs_that_are_not_a_matrix_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"outputs must be \(N, bits\)"):
        Codes.from_outputs(np.zeros(shape))


@pytest.mark.parametrize("bits", [0, 1025])
def test_a_code_length_outside_1_to_1024_is_refused(bits: int) -> None:
    with pytest.raises(DataError, match=f"between 1 and 1024, got {bits}"):
        Codes.from_outputs(np.zeros((1, bits)))


def test_padding_bits_that_are_set_are_refused() -> None:
    with pytest.raises(DataError, match="the 6 padding bits of a row must be zero"):
        Codes(np.array([[0, 0b00100000]], dtype=np.uint8), 10)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (np.zeros((1, 2), dtype=np.int8), "uint8"),
        (np.zeros(2, dtype=np.uint8), r"\(N, bytes\)"),
        (np.zeros((1, 3), dtype=np.uint8), "10 bits take 2 bytes a row, got 3"),
    ],
)
def test_packed_codes_of_another_form_are_refused(packed: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Codes(packed, 10)


def test_embeddings_are_finite_float32_matrices() -> None:
    assert len(Embeddings(np.zeros((3, 2), dtype=np.float32))) == 3
    with pytest.raises(DataError, match="float64"):
        Embeddings(np.zeros((3, 2)))
    with pytest.raises(DataError, match="NaN"):
        Embeddings(np.array([[NAN]], dtype=np.float32))
