"""HyP2's threshold: its table, the Griesmer bound by hand, and which of the two agree."""

from __future__ import annotations

from itertools import product
from math import ceil, log2

import pytest

from hashbench.core.errors import ConfigError
from hashbench.methods.losses.hyp2 import (
    ThresholdSource,
    griesmer_distance,
    griesmer_length,
    proxy_threshold,
)

DIMENSIONS = (4, 5, 6, 7)  # 9-16, 17-32, 33-64 and 65-128 classes
PUBLISHED = {
    12: (0, 0.3333, 0.3333, 0.3333),
    16: (0, 0, 0.25, 0.25),
    24: (0, 0, 0.1667, 0.1667),
    32: (0, 0, 0, 0.125),
    36: (0, 0.0556, 0.1111, 0.1111),
    48: (0, 0, 0, 0.0833),
    64: (-0.0312, 0, 0, 0),
    96: (-0.0417, 0, 0, 0),
    128: (-0.0625, 0, 0, 0),
}
# The other 31 pairs of length and dimension agree with the bound. For these five the table has d
# one lower than the bound, and even.
BELOW_THE_BOUND = {(12, 5), (16, 6), (24, 6), (32, 7), (48, 7)}


@pytest.mark.parametrize("bits", PUBLISHED)
def test_the_table_gives_the_published_values(bits: int) -> None:
    for dimension, value in zip(DIMENSIONS, PUBLISHED[bits], strict=True):
        for classes in (2 ** (dimension - 1) + 1, 2**dimension):
            threshold = proxy_threshold(bits=bits, classes=classes)
            assert threshold.value == pytest.approx(value, abs=5.1e-5)
            assert threshold.source is ThresholdSource.TABLE


@pytest.mark.parametrize(
    ("distance", "dimension", "length"),
    [
        (3, 1, 3),  # repetition: one word and its complement
        (4, 4, 4 + 2 + 1 + 1),  # the extended Hamming code of length 8
        (3, 4, 3 + 2 + 1 + 1),  # the Hamming code of length 7
        (8, 5, 8 + 4 + 2 + 1 + 1),  # the Reed-Muller code of length 16
        (16, 6, 16 + 8 + 4 + 2 + 1 + 1),  # and of length 32
        (7, 4, 7 + 4 + 2 + 1),
        (1, 9, 9),
    ],
)
def test_the_griesmer_bound_is_the_sum_of_halves_rounded_up(
    distance: int, dimension: int, length: int
) -> None:
    assert griesmer_length(distance=distance, dimension=dimension) == length
    assert griesmer_distance(length=length, dimension=dimension) >= distance


@pytest.mark.parametrize(
    ("length", "dimension", "distance"),
    [
        (10, 1, 10),
        (3, 2, 2),  # 000, 011, 101, 110
        (7, 3, 4),  # the simplex code
        (6, 3, 3),
        (8, 4, 4),
        (7, 4, 3),
        (5, 5, 1),
        (9, 4, 4),  # 4 needs 8, 5 needs 5 + 3 + 2 + 1 = 11
    ],
)
def test_the_bound_is_the_best_known_code_where_one_is_known(
    length: int, dimension: int, distance: int
) -> None:
    assert griesmer_distance(length=length, dimension=dimension) == distance


def test_the_bound_is_never_below_a_code_found_by_trying_all() -> None:
    """All linear codes of two generators and up to seven bits."""
    for length in range(2, 8):
        words = range(1, 2**length)
        best = max(
            min(a.bit_count(), b.bit_count(), (a ^ b).bit_count())
            for a, b in product(words, words)
            if a != b
        )
        assert griesmer_distance(length=length, dimension=2) == best


def test_table_and_bound_agree_except_for_five_codes() -> None:
    for bits, row in PUBLISHED.items():
        for dimension, value in zip(DIMENSIONS, row, strict=True):
            tabled = round((1 - value) * bits / 2)
            bound = griesmer_distance(length=bits, dimension=dimension)
            assert bound - tabled == ((bits, dimension) in BELOW_THE_BOUND)


@pytest.mark.parametrize(
    ("bits", "classes", "distance"),
    [
        (32, 1, 32),  # one class: the dimension is 1 all the same
        (32, 2, 32),  # two classes: opposite codes
        (32, 4, 21),  # 21 + 11 = 32
        (32, 8, 18),  # 18 + 9 + 5 = 32
        (64, 129, 31),  # dimension 8: 31 needs just 64, 32 needs 65
        (40, 10, 20),  # a length that the table does not have: 20 + 10 + 5 + 3 = 38, 21 needs 41
        (6, 4, 4),
        (2, 4, 1),  # all words of two bits
    ],
)
def test_outside_the_table_the_bound_is_taken_and_said(
    bits: int, classes: int, distance: int
) -> None:
    threshold = proxy_threshold(bits=bits, classes=classes)
    assert threshold.value == pytest.approx(1 - 2 * distance / bits)
    assert threshold.source == "bound, not the authors' table"
    assert str(threshold).endswith("(bound, not the authors' table)")


def test_the_dimension_is_the_logarithm_rounded_up() -> None:
    for classes in range(2, 300):
        expected = griesmer_distance(length=20, dimension=ceil(log2(classes)))
        assert proxy_threshold(bits=20, classes=classes).value == 1 - 2 * expected / 20


def test_a_code_too_short_for_the_classes_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"3 bits have no 9 different codes; use 4 bits or more"):
        proxy_threshold(bits=3, classes=9)
    assert proxy_threshold(bits=4, classes=9).value == 0.5
