"""Metric names: short forms, full forms, and what is no name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hashbench.core.errors import ConfigError
from hashbench.evaluation.names import (
    Div,
    Empty,
    Family,
    Metric,
    Ties,
    expand_metrics,
    parse_cutoff,
    parse_metric,
)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("map", "map@all/div=hits/ties=expected/empty=zero"),
        ("map@all", "map@all/div=hits/ties=expected/empty=zero"),
        ("map@5000/div=min", "map@5000/div=min/ties=expected/empty=zero"),
        ("map@5000/empty=skip/ties=worst", "map@5000/div=hits/ties=worst/empty=skip"),
        ("map@0100", "map@100/div=hits/ties=expected/empty=zero"),
        ("precision@10", "precision@10/ties=expected/empty=zero"),
        ("recall@10/ties=stable", "recall@10/ties=stable/empty=zero"),
        ("precision@r2", "precision@r2/empty=zero"),
        ("recall@r0/empty=skip", "recall@r0/empty=skip"),
        ("pr", "pr@radii/empty=zero"),
        ("pr@radii", "pr@radii/empty=zero"),
        ("pr11", "pr11@radii/empty=zero"),
        ("ndcg", "ndcg@all/ties=expected/empty=zero"),
        ("ndcg@100/ties=worst", "ndcg@100/ties=worst/empty=zero"),
        ("acg@100/empty=skip", "acg@100/ties=expected/empty=skip"),
        ("wap@100", "wap@100/div=hits/ties=expected/empty=zero"),
        ("wap/ties=stable/div=hits", "wap@all/div=hits/ties=stable/empty=zero"),
    ],
)
def test_a_short_name_is_completed_and_the_full_one_is_stable(short, full):
    assert parse_metric(short).name == full
    assert parse_metric(full) == parse_metric(short)
    assert str(parse_metric(full)) == full


def test_a_metric_has_its_parts_as_values():
    assert parse_metric("map@5000/div=min/ties=best/empty=skip") == Metric(
        Family.MAP, cutoff=5000, div=Div.MIN, ties=Ties.BEST, empty=Empty.SKIP
    )
    assert parse_metric("recall@r2") == Metric(Family.RECALL, radius=2)


KNOWN = "Known: acg, map, ndcg, pr, pr11, precision, recall, wap."
NO_BOUNDS = "bounds over ties are not computed for wap; write ties=expected or ties=stable"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mpa@10", "unknown metric 'mpa'. Did you mean 'map'?"),
        ("mAP@10", "unknown metric 'mAP'. Did you mean 'map'?"),
        ("xyz@10", f"unknown metric 'xyz'. {KNOWN}"),
        ("", f"unknown metric ''. {KNOWN}"),
        ("map@0", "K must be at least 1, got 0; write 'all' for the whole database"),
        ("map@-5", "K must be at least 1, got -5"),
        ("map@ten", "K must be a whole number of at least 1 or 'all', got 'ten'"),
        ("map@1.5", "K must be a whole number of at least 1 or 'all', got '1.5'"),
        ("map@r2", "K must be a whole number of at least 1 or 'all', got 'r2'"),
        ("map@" + "9" * 40, f"K must be a whole number of at least 1 or 'all', got '{'9' * 40}'"),
        ("map@", "nothing after the '@'"),
        ("map@10/dvi=hits", "unknown key 'dvi' for map@10. Did you mean 'div'?"),
        ("precision@10/div=hits", "unknown key 'div' for precision@10. Known: empty, ties."),
        ("precision@r2/ties=best", "unknown key 'ties' for precision@r2. Known: empty."),
        ("map@10/ties=expcted", "unknown word 'expcted' for 'ties'. Did you mean 'expected'?"),
        ("map@10/div", "'div' is not of the form key=word"),
        ("map@10/", "'' is not of the form key=word"),
        ("map@10/div=min/div=min", "'div' is given twice"),
        ("pr@10", "pr takes no cut-off, got '10'; write 'pr@radii'"),
        ("pr11@10", "pr11 takes no cut-off, got '10'; write 'pr11@radii'"),
        ("ndgc@10", "unknown metric 'ndgc'. Did you mean 'ndcg'?"),
        ("ndcg@r2", "K must be a whole number of at least 1 or 'all', got 'r2'"),
        ("acg@10/div=hits", "unknown key 'div' for acg@10. Known: empty, ties."),
        ("wap/ties=best", NO_BOUNDS),
        ("wap/ties=worst", NO_BOUNDS),
        ("wap/div=min", "wap is divided by the hits inside the cut; write div=hits"),
    ],
)
def test_what_is_no_name_gives_one_line_with_the_remedy(name, problem):
    with pytest.raises(ConfigError) as caught:
        parse_metric(name)
    assert list(caught.value.problems) == [f"metric '{name}': {problem}"]


@pytest.mark.parametrize(("value", "cutoff"), [("all", None), (1, 1), (5000, 5000), ("12", 12)])
def test_a_cutoff_is_a_whole_number_or_all(value, cutoff):
    assert parse_cutoff(value) == cutoff


@pytest.mark.parametrize("value", [0, -1, "0", "-3", 2.5, True, "", "all the way", "١٢", "1e3"])
def test_anything_else_is_no_cutoff(value):
    with pytest.raises(ConfigError, match="K must be"):
        parse_cutoff(value)


def test_names_without_a_cutoff_are_crossed_with_the_cutoffs_and_others_stay():
    names = ["map/div=min", "precision@10", "pr", "precision@r2", "ndcg", "pr11"]
    found = expand_metrics(names, ["all", 100])
    assert [metric.name for metric in found] == [
        "map@all/div=min/ties=expected/empty=zero",
        "map@100/div=min/ties=expected/empty=zero",
        "precision@10/ties=expected/empty=zero",
        "pr@radii/empty=zero",
        "precision@r2/empty=zero",
        "ndcg@all/ties=expected/empty=zero",
        "ndcg@100/ties=expected/empty=zero",
        "pr11@radii/empty=zero",
    ]


def test_a_metric_written_twice_is_expanded_once_where_it_stood_first():
    found = expand_metrics(["map@5", "map", "map@5/div=hits", "map/ties=expected"], [7, 5, "7"])
    assert [metric.cutoff for metric in found] == [5, 7]


def test_every_mistake_is_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        expand_metrics(["mpa", "map", "recall@0"], [0, 10, "x"])
    assert list(caught.value.problems) == [
        "cut-off: K must be at least 1, got 0; write 'all' for the whole database",
        "cut-off: K must be a whole number of at least 1 or 'all', got 'x'",
        "metric 'mpa': unknown metric 'mpa'. Did you mean 'map'?",
        "metric 'recall@0': K must be at least 1, got 0; write 'all' for the whole database",
    ]


def test_a_name_without_a_cutoff_needs_one_from_somewhere():
    with pytest.raises(ConfigError, match="no cut-off given; write 'map@all'"):
        expand_metrics(["map"], [])


def test_metrics_are_read_with_map_first_and_the_whole_database_before_any_cut():
    names = ["recall@r2", "precision@5", "map@1000", "precision@r2", "map@20", "map", "pr@radii"]
    names += ["pr11", "wap@5", "acg@5", "ndcg@5", "ndcg"]
    ordered = sorted(map(parse_metric, names), key=lambda metric: metric.reading_order)
    heads = [metric.name.partition("/")[0] for metric in ordered]
    assert heads == [
        *("map@all", "map@20", "map@1000"),
        *("ndcg@all", "ndcg@5", "acg@5", "wap@5"),
        *("precision@5", "precision@r2", "recall@r2", "pr@radii", "pr11@radii"),
    ]


def test_reading_names_imports_neither_torch_nor_numpy():
    code = (
        "import sys, hashbench.evaluation.names as names; names.parse_metric('map@10');"
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
