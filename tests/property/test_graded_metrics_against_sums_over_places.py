"""Graded metrics of large groups against plain sums over places and numbers of hits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from hashbench.core.codes import Codes
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric

TOLERANCE = 1e-12
LEVELS = 3  # gains 0, 1 and 2


def value(groups, name):
    """Evaluate a query with so many items of gain 0, 1 and 2 at distance 0, 1, ..."""
    rows, labels = [], []
    for distance, counts in enumerate(groups):
        rows += [[-1.0] * distance + [1.0] * (16 - distance)] * sum(counts)
        for shared, count in zip(([0, 0, 1], [1, 0, 1], [1, 1, 0]), counts, strict=True):
            labels += [shared] * count
    metric = parse_metric(name)
    sides = Codes.from_outputs(np.ones((1, 16))), Codes.from_outputs(np.array(rows))
    query_labels = np.array([[1, 1, 0]], dtype=np.uint8)
    found = evaluate(*sides, query_labels, np.array(labels, dtype=np.uint8), [metric], order_seed=0)
    return found[metric.name].value


def discount(rank):
    return 1 / math.log2(rank + 1)


def dcg_place_by_place(groups, cutoff):
    rank, terms = 0, []
    for counts in groups:
        mean = sum((2**g - 1) * n for g, n in enumerate(counts)) / max(1, sum(counts))
        for _ in range(sum(counts)):
            rank += 1
            if rank <= cutoff:
                terms.append(mean * discount(rank))
    return math.fsum(terms)


def ideal_dcg(groups, cutoff):
    totals = [sum(counts[g] for counts in groups) for g in range(LEVELS)]
    falling = [g for g in reversed(range(LEVELS)) for _ in range(totals[g])]
    return math.fsum((2**g - 1) * discount(i) for i, g in enumerate(falling[:cutoff], start=1))


def acg_sum(before, gains_before, *, mean, places, hits):
    """Sum of ACG over the ranks of ``hits`` items of mean gain ``mean`` at random places."""
    share = (hits - 1) / (places - 1) if places > 1 else 0.0
    return math.fsum(
        hits / places * (gains_before + mean * (1 + (t - 1) * share)) / (before + t)
        for t in range(1, places + 1)
    )


def wap_hit_number_by_hit_number(groups, cutoff):
    before = hits_before = gains_before = 0
    closer = 0.0
    for none, *some in groups:
        n, r, gains = none + sum(some), sum(some), some[0] + 2 * some[1]
        mean, m = (gains / r if r else 0.0), min(n, cutoff - before)
        if before + n >= cutoff:
            scores = []
            for x in range(max(0, m - (n - r)), min(m, r) + 1):
                inside = acg_sum(before, gains_before, mean=mean, places=m, hits=x)
                chance = math.comb(r, x) * math.comb(n - r, m - x) / math.comb(n, m)
                scores.append(chance * (closer + inside) / max(1, hits_before + x))
            return math.fsum(scores)
        closer += acg_sum(before, gains_before, mean=mean, places=n, hits=r) if n else 0.0
        before, hits_before, gains_before = before + n, hits_before + r, gains_before + gains
    raise AssertionError("the cut is above the database")


@st.composite
def groups_and_cutoff(draw):
    group = st.tuples(*[st.integers(0, 40)] * LEVELS)
    groups = draw(st.lists(group, min_size=1, max_size=5).filter(lambda gs: any(map(sum, gs))))
    return groups, draw(st.integers(1, sum(map(sum, groups))))


@settings(max_examples=100, deadline=None)
@given(groups_and_cutoff())
def test_expected_wap_weighs_each_number_of_hits_by_its_probability(case):
    groups, cutoff = case
    wanted = wap_hit_number_by_hit_number(groups, cutoff)
    assert value(groups, f"wap@{cutoff}") == pytest.approx(wanted, rel=0, abs=TOLERANCE)


@settings(max_examples=100, deadline=None)
@given(groups_and_cutoff())
def test_expected_ndcg_gives_every_place_the_mean_gain_of_its_group(case):
    groups, cutoff = case
    ideal = ideal_dcg(groups, cutoff)
    wanted = dcg_place_by_place(groups, cutoff) / ideal if ideal else 0.0
    assert value(groups, f"ndcg@{cutoff}") == pytest.approx(wanted, rel=0, abs=TOLERANCE)


@settings(max_examples=100, deadline=None)
@given(groups_and_cutoff())
def test_expected_ndcg_is_scikit_learns_tie_averaged_ndcg(case):
    groups, cutoff = case
    if sum(map(sum, groups)) == 1:
        groups = [*groups, (1, 0, 0)]  # scikit-learn wants two items
    gains = [2**g - 1 for counts in groups for g, n in enumerate(counts) for _ in range(n)]
    scores = [-d for d, counts in enumerate(groups) for _ in range(sum(counts))]
    wanted = ndcg_score([gains], [scores], k=cutoff, ignore_ties=False)
    assert value(groups, f"ndcg@{cutoff}") == pytest.approx(wanted, rel=0, abs=TOLERANCE)


LARGE = [(1, 1, 1), (29, 8, 3), (590, 300, 10), (3900, 1400, 100), (17500, 2400, 100)]


@pytest.mark.parametrize("cutoff", [1000, 5000, "all"])
def test_groups_of_thousands_keep_twelve_digits(cutoff):
    k = sum(map(sum, LARGE)) if cutoff == "all" else cutoff
    ndcg = dcg_place_by_place(LARGE, k) / ideal_dcg(LARGE, k)
    assert value(LARGE, f"ndcg@{cutoff}") == pytest.approx(ndcg, rel=0, abs=TOLERANCE)
    wap = wap_hit_number_by_hit_number(LARGE, k)
    assert value(LARGE, f"wap@{cutoff}") == pytest.approx(wap, rel=0, abs=TOLERANCE)
