"""The speed measurement at toy size: what it times is what it says."""

from __future__ import annotations

import evaluation_speed as speed
import numpy as np
import pytest
from evaluation_speed import Case, field_loop, made, main, measure

from hashbench.core.errors import ExitCode
from hashbench.evaluation.evaluate import evaluate
from hashbench.evaluation.names import parse_metric


def test_the_fields_loop_computes_average_precision_over_the_hits_inside_the_cut():
    case = Case(6, 200, 4, True, "50")
    query, database, query_labels, labels = made(case)
    # Codes at distances that all differ have no ties to argue about.
    signs = np.array([[-1.0] * d + [1.0] * (speed.BITS - d) for d in range(speed.BITS)])
    database = type(database).from_outputs(signs)
    query = type(query).from_outputs(np.ones((6, speed.BITS)))
    sides = query, database, query_labels, labels[: speed.BITS]
    metric = parse_metric("map@50")

    found = field_loop(
        [query.signs(), database.signs(), *(side.astype(int) for side in sides[2:])], 50
    )

    wanted = evaluate(*sides, [metric], order_seed=0)[metric.name].value
    assert found == pytest.approx(wanted, rel=1e-6)  # it sums in float32


def test_a_case_is_a_row_for_the_loop_as_it_is_and_at_its_best_and_for_each_set_of_metrics(
    monkeypatch,
):
    monkeypatch.setattr(speed, "_ROUNDS", 1)
    rows = [line.split(" | ") for line in measure(Case(20, 300, 4, True, "50"), 2, repeats=1)]
    assert [row[1] for row in rows] == [
        *("field's loop", "field's loop at its best"),
        *("tie-aware", "with stable", "with graded", "tie-aware, numpy"),
    ]
    assert all(float(row[2]) >= 0 for row in rows)


def test_threads_that_are_no_number_are_a_usage_error(capsys):
    assert main(["two"]) is ExitCode.USAGE
    assert capsys.readouterr().err.startswith("usage: ")
