"""Larger databases that lie as the smaller one does."""

from __future__ import annotations

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.core.errors import DataError
from hashbench.search.resample import FEWEST, ClassRates, Resampling, resample
from hashbench.search.scan import distance_histogram

# Share of set bits by class (row) and bit: from never to always.
SHARES = np.array([[0.0, 0.25, 0.5, 0.75, 1.0], [1.0, 0.9, 0.5, 0.05, 0.0]])


def two_classes(items=4000, *, shares=SHARES):
    """Codes whose bits are set exactly as often as ``shares`` says, and their labels."""
    rng = np.random.default_rng(1)
    half = items // 2
    outputs = np.concatenate(
        [
            np.stack([rng.permutation(np.arange(half) < round(half * p)) for p in row], axis=1)
            for row in shares
        ]
    )
    labels = np.repeat(np.eye(2, dtype=np.uint8), half, axis=0)
    return Codes.from_outputs(outputs * 2.0 - 1), labels


def bits(codes):
    return np.unpackbits(codes.packed, axis=1, count=codes.bits)


def test_a_bit_flips_as_often_as_its_class_disagrees_with_it():
    codes, labels = two_classes()
    rows = np.array([0, 1, 3999])
    of = bits(codes)[rows]
    rates = ClassRates.of(codes, labels).flip_rates(of, rows)
    shares = SHARES[[0, 0, 1]]
    np.testing.assert_allclose(rates, np.where(of == 1, 1 - shares, shares), atol=1e-6)


@pytest.mark.parametrize("way", Resampling)
@pytest.mark.parametrize("redraw", [1.0, 0.3])
def test_every_class_keeps_its_share_of_set_bits_and_the_classes_their_shares(redraw, way):
    codes, labels = two_classes()
    made = bits(resample(codes, labels, 40_000, seed=3, redraw=redraw, way=way))
    # Bits 0 and 4 never differ within a class and tell which class a code was drawn from.
    first = made[:, 0] == 0
    assert (made[:, 4] == first).all()
    assert first.mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(made[first].mean(axis=0), SHARES[0], atol=0.015)
    np.testing.assert_allclose(made[~first].mean(axis=0), SHARES[1], atol=0.015)


def test_bits_of_a_class_become_independent_and_a_smaller_redraw_keeps_them_together():
    rng = np.random.default_rng(0)
    coin = np.where(rng.random(2000) < 0.5, 1.0, -1.0)
    codes = Codes.from_outputs(np.stack([coin, coin], axis=1))  # both bits say the same
    labels = np.ones((2000, 1), dtype=np.uint8)

    def agreement(redraw):
        made = bits(resample(codes, labels, 20_000, redraw=redraw))
        return (made[:, 0] == made[:, 1]).mean()

    assert agreement(1.0) == pytest.approx(0.5, abs=0.02)
    # Each flips with probability 0.3 * 0.5: they agree if both do or none does.
    assert agreement(0.3) == pytest.approx(0.15**2 + 0.85**2, abs=0.02)
    assert agreement(0.0) == 1


def test_crossing_keeps_half_of_what_two_bits_have_in_common():
    rng = np.random.default_rng(0)
    coin = np.where(rng.random(2000) < 0.5, 1.0, -1.0)
    codes = Codes.from_outputs(np.stack([coin, coin], axis=1))  # both bits say the same
    labels = np.ones((2000, 1), dtype=np.uint8)
    made = bits(resample(codes, labels, 20_000, way=Resampling.CROSS)).astype(float)
    assert np.corrcoef(made.T)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_crossing_takes_bits_of_the_same_class_alone():
    rng = np.random.default_rng(0)
    ends = np.where(rng.random((60, 1)) < 0.5, 1.0, -1.0) * np.ones(8)
    middle = np.repeat([[1.0] * 16, [-1.0] * 16], 30, axis=0)  # tells the class
    codes = Codes.from_outputs(np.concatenate([ends, middle], axis=1))
    labels = np.repeat(np.eye(2, dtype=np.uint8), 30, axis=0)
    made = bits(resample(codes, labels, 5000, way=Resampling.CROSS))
    assert set(made[:, 8:].sum(axis=1).tolist()) == {0, 16}
    mixed = np.isin(made[:, :8].sum(axis=1), [0, 8], invert=True).mean()
    # Half of the codes meet a member with other ends, and hardly any then keeps all of its own.
    assert mixed == pytest.approx(0.5, abs=0.05)


def test_a_class_too_small_to_cross_is_flipped_with_the_rates_of_the_larger_ones():
    codes, labels = two_classes(400)
    alone = Codes(np.concatenate([codes.packed, np.zeros((1, 1), np.uint8)]), 5)
    padded = np.pad(labels, ((0, 1), (0, 1)))
    padded[-1, 2] = 1
    draws = [resample(alone, padded, 100_000, seed=2, way=way) for way in Resampling]
    between = (2 * SHARES * (1 - SHARES)).mean(axis=0)
    rows = np.random.default_rng(2).integers(0, len(alone), 100_000)
    for made in draws:
        shares = bits(made)[rows == len(alone) - 1].mean(axis=0)
        np.testing.assert_allclose(shares, between, atol=0.1)


def test_correlated_codes_stay_nearer_to_their_distances_where_they_are_crossed():
    rng = np.random.default_rng(1)
    factors = rng.standard_normal((3000, 3)) @ rng.standard_normal((3, 32))
    codes = Codes.from_outputs(factors + 0.3 * rng.standard_normal((3000, 32)))
    labels = np.ones((3000, 1), dtype=np.uint8)
    query = Codes(codes.packed[:100], 32)

    def shares(database):
        counts = distance_histogram(query, database)
        return counts / counts.sum()

    flip, cross = (
        np.abs(shares(resample(codes, labels, 20_000, way=way)) - shares(codes)).sum() / 2
        for way in (Resampling.FLIP, Resampling.CROSS)
    )
    assert cross < 0.6 * flip


@pytest.mark.parametrize("way", Resampling)
def test_codes_that_are_all_equal_stay_so(way):
    codes = Codes(np.full((50, 2), 0b10110101, dtype=np.uint8), 16)
    made = resample(codes, np.ones((50, 1), dtype=np.uint8), 100, way=way)
    assert (made.packed == codes.packed[0]).all()


@pytest.mark.parametrize(
    ("items", "rows", "problem"),
    [
        (0, 0, "search: the database is empty; there is nothing to resample"),
        (3, 2, "labels: expected a row for each of 3 codes, got (2, 4)"),
    ],
)
def test_codes_without_their_labels_are_refused(items, rows, problem):
    codes = Codes(np.zeros((items, 1), dtype=np.uint8), 8)
    with pytest.raises(DataError) as caught:
        resample(codes, np.ones((rows, 4), dtype=np.uint8), 5)
    assert str(caught.value) == problem


def test_the_mean_distance_within_and_between_classes_stays():
    codes, labels = two_classes()
    query = Codes(codes.packed[::40], codes.bits)
    made = resample(codes, labels, 30_000)

    def mean(database):
        counts = distance_histogram(query, database)
        return (counts * np.arange(len(counts))).sum() / counts.sum()

    assert mean(made) == pytest.approx(mean(codes), abs=0.02)


def test_a_class_too_small_to_have_rates_gets_those_of_the_larger_ones():
    codes, labels = two_classes(400)
    few = FEWEST - 1
    alone = Codes(np.concatenate([codes.packed, np.zeros((few, 1), np.uint8)]), 5)
    padded = np.pad(labels, ((0, few), (0, 1)))
    padded[-few:, 2] = 1
    rates = ClassRates.of(alone, padded)
    between = (2 * SHARES * (1 - SHARES)).mean(axis=0)
    found = rates.flip_rates(np.zeros((1, 5), np.uint8), np.array([len(alone) - 1]))
    np.testing.assert_allclose(found[0], between, atol=0.01)
    assert rates.flip_rates(np.zeros((1, 5), np.uint8), np.array([0]))[0, 4] == 1


def test_where_every_class_is_small_all_codes_count_as_one():
    codes, _ = two_classes(6)
    rates = ClassRates.of(codes, np.eye(6, dtype=np.uint8))
    share = bits(codes).mean(axis=0)
    np.testing.assert_allclose(rates.pooled, 2 * share * (1 - share), rtol=1e-6)


def test_a_class_is_a_set_of_labels():
    codes, _ = two_classes(4)
    labels = np.array([[1, 0], [1, 1], [1, 1], [0, 0]], dtype=np.uint8)
    rates = ClassRates.of(codes, labels)
    assert rates.classes[1] == rates.classes[2]
    assert len(set(rates.classes)) == len(rates.sizes) == 3


def test_the_seed_decides_and_the_padding_stays_empty():
    codes, labels = two_classes()
    first = resample(codes, labels, 999, seed=5)
    np.testing.assert_array_equal(resample(codes, labels, 999, seed=5).packed, first.packed)
    assert (resample(codes, labels, 999, seed=6).packed != first.packed).any()
    assert (len(first), first.bits) == (999, 5)
    assert not (first.packed & 0b111).any()


def test_a_histogram_counts_every_pair_of_the_first_queries():
    rng = np.random.default_rng(0)
    query, database = (Codes.from_outputs(rng.standard_normal((n, 70))) for n in (7, 50))
    wanted = (query.signs()[:3, None] != database.signs()[None]).sum(axis=2)
    found = distance_histogram(query, database, at_most=3)
    assert found.tolist() == np.bincount(wanted.ravel(), minlength=71).tolist()
