"""Statistics of codes: cases worked by hand, and plain loops."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.evaluation.code_statistics import CodeStatistics, code_statistics


def statistics(*rows):
    return code_statistics(Codes.from_outputs(np.array(rows, dtype=float)))


def test_four_codes_of_three_bits_by_hand():
    # Bit 1 is balanced; bit 2 is its negative but for the last code; bit 3 is constant.
    found = statistics([1, -1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1])

    assert (found.items, found.distinct, found.constant_bits) == (4, 3, 1)
    assert found.bit_balance == (0 + 1 / 2 + 1) / 3
    # Covariance (-1-1-1+1)/4 - 0 * -1/2 = -1/2; deviations 1 and sqrt(3)/2.
    assert found.bit_correlation == pytest.approx(1 / math.sqrt(3), rel=1e-15)
    quarter = 0.25 * math.log2(4) + 0.75 * math.log2(4 / 3)
    assert found.bit_entropy == pytest.approx((1 + quarter + 0) / 3, rel=1e-15)
    assert found.code_entropy == 0.5 * 1 + 2 * 0.25 * 2


@pytest.mark.parametrize("bits", [1, 5])
def test_one_code_for_everything_has_no_entropy_and_no_correlation(bits):
    assert statistics(*[[-1] * bits] * 7) == CodeStatistics(
        items=7,
        distinct=1,
        constant_bits=bits,
        bit_balance=1.0,
        bit_correlation=None,
        bit_entropy=0.0,
        code_entropy=0.0,
    )


def test_every_code_once_is_the_best_there_is():
    rows = [[1 if i >> b & 1 else -1 for b in range(4)] for i in range(16)]
    found = statistics(*rows)
    assert (found.bit_balance, found.bit_correlation) == (0, 0)
    assert (found.bit_entropy, found.code_entropy) == (1, 4)


def test_bits_that_repeat_each_other_are_fully_correlated():
    found = statistics([1, -1], [-1, 1], [1, -1])
    assert found.bit_correlation == pytest.approx(1, rel=1e-15)
    assert found.distinct == 2


@pytest.mark.parametrize(("items", "bits"), [(2, 3), (40, 12), (300, 65), (3000, 1024)])
def test_random_codes_against_plain_loops(items, bits):
    rng = np.random.default_rng(items)
    outputs = rng.standard_normal((items, bits)) + 0.3 * rng.standard_normal(bits)
    outputs[: items // 2] = outputs[0]  # equal codes
    signs = np.where(outputs >= 0, 1, -1)

    found = code_statistics(Codes.from_outputs(outputs))

    varying = [column for column in signs.T if len(set(column.tolist())) == 2]
    table = np.corrcoef(varying)
    pairs = list(combinations(range(len(varying)), 2))
    counts = Counter(map(bytes, signs.astype(np.int8)))
    ones = [float((column > 0).mean()) for column in signs.T]
    assert (found.items, found.distinct) == (items, len(counts))
    assert found.constant_bits == bits - len(varying)
    assert found.bit_balance == pytest.approx(np.mean([abs(2 * p - 1) for p in ones]), rel=1e-12)
    assert found.bit_correlation == pytest.approx(
        np.mean([abs(table[i, j]) for i, j in pairs]), rel=1e-9
    )
    entropies = [-sum(q * math.log2(q) for q in (p, 1 - p) if q > 0) for p in ones]
    assert found.bit_entropy == pytest.approx(np.mean(entropies), rel=1e-12)
    shares = [count / items for count in counts.values()]
    assert found.code_entropy == pytest.approx(-sum(p * math.log2(p) for p in shares), rel=1e-12)


def test_no_codes_give_one_line():
    with pytest.raises(DataError, match="there are no codes to describe"):
        code_statistics(Codes(np.zeros((0, 2), dtype=np.uint8), 16))
