"""The interval of a mean difference over seeds and queries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from interval_coverage import SCENARIOS, Population, Scenario, coverage
from scipy import stats

from hashbench.core.errors import DataError
from hashbench.judge.compare.bootstrap import paired_bootstrap, unpaired_bootstrap

RNG = np.random.default_rng(0)


def test_seeds_alone_give_students_interval() -> None:
    # Mean 2, deviation 1, three values: 2 -+ 4.3027 / sqrt(3).
    effect = paired_bootstrap(np.array([[1.0], [2.0], [3.0]]))
    assert (effect.low, effect.high) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=2e-4)
    assert effect.p == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).pvalue, abs=1e-4)
    assert effect.over == "seeds"


def test_one_seed_gives_the_interval_of_its_queries_and_says_so() -> None:
    values = RNG.normal(0.02, 0.1, (1, 400))
    effect = paired_bootstrap(values)
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values[0]))
    assert (effect.low, effect.high) == pytest.approx(expected, abs=1e-3)
    assert effect.p == pytest.approx(stats.ttest_1samp(values[0], 0).pvalue, rel=0.15)
    assert effect.over == "queries only (one seed)"


def test_seeds_that_agree_leave_the_interval_of_the_queries() -> None:
    queries = RNG.normal(0.02, 0.1, 400)
    alone = paired_bootstrap(queries[None])
    thrice = paired_bootstrap(np.tile(queries, (3, 1)))
    assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high), abs=1e-3)


def test_seeds_that_differ_widen_the_interval_beyond_that_of_the_queries() -> None:
    queries = RNG.normal(0.02, 0.01, 400)
    by_seed = np.array([[-0.02], [0.0], [0.02]])
    effect = paired_bootstrap(queries + by_seed)
    # Nearly Student's alone: 4.3027 * 0.02 / sqrt(3) on either side.
    assert effect.high - effect.low == pytest.approx(2 * 4.3027 * 0.02 / np.sqrt(3), rel=0.02)
    assert paired_bootstrap(queries[None]).p < 0.001
    assert effect.p > 0.05


def test_equal_methods_have_no_difference() -> None:
    effect = paired_bootstrap(np.zeros((3, 50)))
    assert (effect.mean, effect.low, effect.high, effect.p) == (0, 0, 0, 1)


def test_swapping_the_methods_turns_the_interval_around() -> None:
    values = RNG.normal(0.02, 0.1, (3, 200)) + RNG.normal(0, 0.01, (3, 1))
    there, back = paired_bootstrap(values), paired_bootstrap(-values)
    assert (-back.high, -back.low) == pytest.approx((there.low, there.high), abs=5e-4)
    assert back.p == pytest.approx(there.p, abs=5e-3)


def test_p_falls_below_five_per_cent_where_the_interval_leaves_the_null() -> None:
    values = RNG.normal(0.0, 0.1, (3, 200)) + RNG.normal(0, 0.005, (3, 1))
    effect = paired_bootstrap(values)
    assert paired_bootstrap(values, null=effect.low).p == pytest.approx(0.05, abs=1e-6)
    assert paired_bootstrap(values, null=effect.high).p == pytest.approx(0.05, abs=1e-6)


def test_the_same_input_gives_the_same_result() -> None:
    values = RNG.normal(0, 1, (3, 50))
    assert paired_bootstrap(values) == paired_bootstrap(values)
    assert paired_bootstrap(values) != paired_bootstrap(values, seed=1)


def test_unpaired_queries_add_the_variances_of_both() -> None:
    one, two = RNG.normal(0.6, 0.1, (1, 300)), RNG.normal(0.5, 0.2, (1, 400))
    effect = unpaired_bootstrap(one, two)
    error = np.hypot(stats.sem(one[0]), stats.sem(two[0]))
    assert effect.mean == pytest.approx(one.mean() - two.mean())
    assert effect.high - effect.low == pytest.approx(2 * 1.965 * error, rel=0.05)


@pytest.mark.parametrize(
    "values", [np.zeros(3), np.zeros((1, 1)), np.zeros((0, 5)), np.array([[1.0, np.nan]])]
)
def test_what_is_no_table_of_finite_differences_is_refused(values: np.ndarray) -> None:
    with pytest.raises(DataError, match="comparison: "):
        paired_bootstrap(values)


def test_unequal_numbers_of_seeds_are_refused() -> None:
    with pytest.raises(DataError, match="3 seeds against 2"):
        unpaired_bootstrap(np.ones((3, 5)), np.ones((2, 5)))


@pytest.mark.parametrize("ratio", [0.0, 3.0])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(ratio: float) -> None:
    rng = np.random.default_rng(1)
    measured = rng.beta(5, 1, 100) - rng.beta(4, 1, 100) + rng.normal(0, 0.05, (3, 100))
    scenario = Scenario(("a", "b"), 3, 100, ratio)
    found = coverage(Population.of(measured), scenario, repeats=400, draws=200, seed=0)
    assert 0.91 < found < 0.985  # 400 experiments: 0.95 within three and a half of their deviations


def test_the_committed_simulation_finds_the_stated_coverage(root: Path) -> None:
    found = json.loads((root / "results" / "coverage.json").read_text())
    assert found["level"] == 0.95
    assert found["repeats"] >= 2000
    measured = {
        (*each["pair"], each["seeds"], each["queries"], each["ratio"]): each["coverage"]
        for each in found["scenarios"]
    }
    assert set(measured) == {(*s.pair, s.seeds, s.queries, s.ratio) for s in SCENARIOS}
    assert {key: share for key, share in measured.items() if not 0.93 <= share <= 0.97} == {}
