"""Groups too large for listing orders, against plain sums over places and numbers of hits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashbench.core.codes import Codes
from hashbench.evaluation.average_precision import AveragePrecision
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import Div, Ties, parse_metric
from hashbench.evaluation.tie_groups import TieGroups

TOLERANCE = 1e-12


def codes_and_labels(groups):
    """A query of 16 bits and, for each distance, so many items with so many relevant ones."""
    rows, labels = [], []
    for distance, (size, hits) in enumerate(groups):
        code = np.ones(16)
        code[:distance] = -1
        rows += [code] * size
        labels += [[1, 0]] * hits + [[0, 1]] * (size - hits)
    query = Codes.from_outputs(np.ones((1, 16)))
    return query, Codes.from_outputs(np.array(rows)), np.array(labels, dtype=np.uint8)


def value(groups, name):
    query, database, labels = codes_and_labels(groups)
    metric = parse_metric(name)
    query_labels = np.array([[1, 0]], dtype=np.uint8)
    return evaluate(query, database, query_labels, labels, [metric], order_seed=0)[
        metric.name
    ].value


def sum_of_random_places(n, r, before, hits_before):
    """The expected sum of precisions over a group in random order."""
    share = (r - 1) / (n - 1) if n > 1 else 0.0
    return math.fsum(
        r / n * (hits_before + 1 + (t - 1) * share) / (before + t) for t in range(1, n + 1)
    )


def sum_of_fixed_places(before, hits_before, first, hits):
    """The sum of precisions where relevant items stand at consecutive places from ``first``."""
    return math.fsum((hits_before + i) / (before + first + i - 1) for i in range(1, hits + 1))


def split_at(groups, cutoff):
    """Whole groups inside the cut as (N, R, n, r), and the last group with the places kept."""
    before = hits_before = 0
    whole = []
    for size, hits in groups:
        if before + size >= cutoff:
            return whole, (before, hits_before, size, hits, cutoff - before)
        whole.append((before, hits_before, size, hits))
        before, hits_before = before + size, hits_before + hits
    raise AssertionError("the cut is above the database")


def scores_by_hits(groups, cutoff, places_of):
    """AP@K, div=hits, for each number of hits inside the split group, with its probability."""
    whole, (before, hits_before, n, r, m) = split_at(groups, cutoff)
    closer = math.fsum(places_of(*group) for group in whole)
    for x in range(max(0, m - (n - r)), min(m, r) + 1):
        total = closer + places_of(before, hits_before, m, x)
        chance = math.comb(r, x) * math.comb(n - r, m - x) / math.comb(n, m)
        yield chance, total / (hits_before + x) if hits_before + x else 0.0


def in_random_order(before, hits_before, places, hits):
    return sum_of_random_places(places, hits, before, hits_before)


def hits_first(before, hits_before, places, hits):
    return sum_of_fixed_places(before, hits_before, 1, hits)


def hits_last(before, hits_before, places, hits):
    return sum_of_fixed_places(before, hits_before, places - hits + 1, hits)


@st.composite
def groups_and_cutoff(draw, largest):
    sizes = draw(st.lists(st.integers(1, largest), min_size=1, max_size=4))
    groups = [(size, draw(st.integers(0, size))) for size in sizes]
    return groups, draw(st.integers(1, sum(sizes)))


@settings(max_examples=80, deadline=None)
@given(groups_and_cutoff(largest=60))
def test_expected_ap_by_hits_weighs_each_number_of_hits_by_its_probability(case):
    groups, cutoff = case
    wanted = math.fsum(p * ap for p, ap in scores_by_hits(groups, cutoff, in_random_order))
    assert value(groups, f"map@{cutoff}") == pytest.approx(wanted, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("ties", "places_of", "pick"),
    [
        ("best", hits_first, max),
        ("worst", hits_last, min),
    ],
)
@settings(max_examples=150, deadline=None)
@given(case=groups_and_cutoff(largest=60))
def test_bounds_by_hits_are_the_extremes_over_each_number_of_hits(ties, places_of, pick, case):
    groups, cutoff = case
    wanted = pick(ap for _, ap in scores_by_hits(groups, cutoff, places_of))
    found = value(groups, f"map@{cutoff}/ties={ties}")
    assert found == pytest.approx(wanted, rel=0, abs=TOLERANCE)


LARGE = [(3, 2), (40, 11), (900, 310), (5400, 1500), (20000, 2500), (27657, 1077)]


@pytest.mark.parametrize("name", ["map@all", "map@all/div=min", "map@54000", "map@60000/div=min"])
def test_expected_ap_of_54_000_items_keeps_twelve_digits(name):
    whole, (before, hits_before, size, hits, _) = split_at(LARGE, 54_000)
    parts = [in_random_order(*group) for group in [*whole, (before, hits_before, size, hits)]]
    wanted = math.fsum(parts) / sum(hits for _, hits in LARGE)
    assert value(LARGE, name) == pytest.approx(wanted, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize("cutoff", [1000, 5000])
def test_a_cut_in_a_group_of_thousands_keeps_twelve_digits(cutoff):
    wanted = math.fsum(p * ap for p, ap in scores_by_hits(LARGE, cutoff, in_random_order))
    assert value(LARGE, f"map@{cutoff}") == pytest.approx(wanted, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize("items", [10_000, 1_000_000])
@pytest.mark.parametrize("share", [1, 2, 3])
def test_a_cut_just_inside_a_huge_group_keeps_twelve_digits(items, share):
    # What stands before the group must not be found by subtracting the group's own large sum.
    hits = items // share
    groups = TieGroups.from_counts(np.array([[3, items]]), np.array([[1, hits]]))
    before = Fraction(1, 3) * (1 + Fraction(1, 2) + Fraction(1, 3))
    chance = Fraction(hits, items)
    wanted = chance * (before + Fraction(2, 4)) / 2 + (1 - chance) * before
    found = AveragePrecision(groups).at(4, div=Div.HITS, ties=Ties.EXPECTED)
    assert found[0] == pytest.approx(float(wanted), rel=0, abs=TOLERANCE)
