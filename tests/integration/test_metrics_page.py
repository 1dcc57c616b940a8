"""Every value on docs/reference/metrics.md is what evaluating its case gives."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import permutations
from math import log2
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric

DISTANCES, GAINS, BITS = (0, 1, 1, 1, 2, 4), (1, 2, 0, 1, 0, 1), 8
ROW = re.compile(r"^\| `([a-z0-9@=/]+)` \| ([0-9.]+) \| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "reference" / "metrics.md").read_text()


def evaluated(name: str) -> float:
    metric = parse_metric(name)
    outputs = np.array([[-1.0] * d + [1.0] * (BITS - d) for d in DISTANCES])
    labels = {0: [0, 0, 1], 1: [1, 0, 0], 2: [1, 1, 0]}
    items = np.array([labels[gain] for gain in GAINS], dtype=np.uint8)
    query = Codes.from_outputs(np.ones((1, BITS))), np.array([[1, 1, 0]], dtype=np.uint8)
    found = evaluate(query[0], Codes.from_outputs(outputs), query[1], items, [metric], order_seed=0)
    return found[metric.name].value


def test_the_case_is_the_one_on_the_page(page: str) -> None:
    for name, values in (("distance", DISTANCES), ("shared labels", GAINS)):
        assert f"| {name} | {' | '.join(map(str, values))} |" in page


def test_every_value_is_that_of_the_metric(page: str) -> None:
    rows = ROW.findall(page)
    assert len(rows) == 11
    for name, value, _ in rows:
        assert float(value) == pytest.approx(evaluated(name), abs=5e-7), name


def test_the_fractions_are_the_values(page: str) -> None:
    ended = [(value, text.rpartition("= ")[2]) for _, value, text in ROW.findall(page)]
    fractions = [(value, text) for value, text in ended if re.fullmatch(r"\d+/\d+", text)]
    assert len(fractions) == 7
    for value, text in fractions:
        assert float(Fraction(text)) == pytest.approx(float(value), abs=5e-7)


def test_the_orders_of_the_tie_have_the_average_precisions_of_the_table(page: str) -> None:
    rows = re.findall(r"^\| (\d) \| `([+-]+)` \| [^|]+ \| (\S+) \| (\S+) \| (\S+) \|$", page, re.M)
    assert [row[0] for row in rows] == ["2", "3", "4"]
    for place, ranking, whole, hits, least in rows:
        relevant = [sign == "+" for sign in ranking]
        assert not relevant[int(place) - 1]
        precisions = [Fraction(sum(relevant[: i + 1]), i + 1) for i in range(6) if relevant[i]]
        inside = precisions[: sum(relevant[:3])]
        assert Fraction(whole) == sum(precisions) / 4
        assert Fraction(hits) == sum(inside) / len(inside)
        assert Fraction(least) == sum(inside) / 3


def test_ndcg_is_the_mean_over_the_orders_of_the_tie() -> None:
    discounts = [1 / log2(rank + 1) for rank in (1, 2, 3)]
    ideal = sum(d * (2**g - 1) for d, g in zip(discounts, (2, 1, 1), strict=True))
    orders = [(1, *tie[:2]) for tie in permutations((2, 0, 1))]
    values = [sum(d * (2**g - 1) for d, g in zip(discounts, o, strict=True)) for o in orders]
    assert evaluated("ndcg@3") == pytest.approx(np.mean(values) / ideal, rel=1e-12)
