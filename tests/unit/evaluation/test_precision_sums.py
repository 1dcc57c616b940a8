"""Hypergeometric weights against exact binomial coefficients."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from hashbench.evaluation.precision_sums import hypergeometric_weights


def weights(size, hits, draws):
    x, p = hypergeometric_weights(*(np.array([float(n)]) for n in (size, hits, draws)))
    return dict(zip(x[0].astype(int).tolist(), p[0].tolist(), strict=True))


def exact(size, hits, draws, x):
    return Fraction(comb(hits, x) * comb(size - hits, draws - x), comb(size, draws))


@pytest.mark.parametrize(
    ("size", "hits", "draws"),
    [(1, 0, 1), (1, 1, 1), (5, 2, 3), (5, 5, 2), (5, 0, 4), (10, 9, 9), (40, 20, 20), (300, 7, 90)],
)
def test_small_urns_have_every_probability(size, hits, draws):
    found = weights(size, hits, draws)
    for x in range(max(0, draws - (size - hits)), min(draws, hits) + 1):
        assert found.pop(x) == pytest.approx(float(exact(size, hits, draws, x)), rel=1e-13)
    assert not any(found.values())  # whatever is left is impossible


@pytest.mark.parametrize(("size", "hits", "draws"), [(5400, 540, 1000), (20000, 9000, 12000)])
def test_large_urns_keep_the_digits_where_the_weight_is(size, hits, draws):
    found = weights(size, hits, draws)
    assert sum(found.values()) == pytest.approx(1, rel=1e-14)
    likely = [x for x, p in found.items() if p > 1e-10]
    assert len(likely) > 80
    for x in likely[:: len(likely) // 20]:
        assert found[x] == pytest.approx(float(exact(size, hits, draws, x)), rel=1e-12)


def test_what_is_left_out_of_a_large_urn_is_below_its_promise():
    size, hits, draws = 5400, 540, 1000
    kept = {x for x, p in weights(size, hits, draws).items() if p > 0}
    left_out = [x for x in range(min(hits, draws) + 1) if x not in kept]
    assert left_out
    assert sum(exact(size, hits, draws, x) for x in left_out) < Fraction(1, 10**20)


def test_urns_of_different_size_stand_in_one_table():
    sizes, hits, draws = (np.array(n) for n in ([4.0, 900.0], [2.0, 300.0], [2.0, 450.0]))
    x, p = hypergeometric_weights(sizes, hits, draws)
    assert x.shape == p.shape
    assert p.sum(axis=1) == pytest.approx([1, 1], rel=1e-14)
    assert (x * p).sum(axis=1) == pytest.approx([1, 150], rel=1e-13)
