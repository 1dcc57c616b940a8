"""Seeds brought together, worked by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hashbench.core.cell import Cell, Component
from hashbench.reports.html.cost_figures import Offer, pareto_front
from hashbench.reports.html.evidence import Evidence
from hashbench.reports.html.points import arenas, supervision_of
from hashbench.store.catalogue import CellResults

Make = Callable[..., CellResults]
MAP = "map@all/div=hits/ties=expected/empty=zero"


def test_mean_deviation_and_records_over_seeds(make_results: Make) -> None:
    cells = [make_results("hsc", value=v, seed=s) for s, v in enumerate((0.6, 0.7, 0.8))]
    ((point,),) = [arena.points for arena in arenas(cells, Evidence())]
    value = point.metrics[MAP]
    assert (value.mean, value.deviation, value.n) == pytest.approx((0.7, 0.1, 3))
    assert value.records == tuple(each.evaluations[0].record_id for each in cells)
    assert value.interval is None


def test_an_interval_belongs_to_the_records_it_is_of_in_any_order(make_results: Make) -> None:
    cells = [make_results("hsc", value=0.5, seed=seed) for seed in (0, 1)]
    ids = tuple(sorted(each.evaluations[0].record_id for each in cells))
    known = Evidence(intervals={(ids, MAP): (0.4, 0.6)})
    assert arenas(cells, known)[0].points[0].metrics[MAP].interval == (0.4, 0.6)


def test_the_best_method_is_first_and_its_lengths_rise(make_results: Make) -> None:
    cells = [
        make_results(loss, value=value, bits=bits)
        for loss, value in (("csq", 0.5), ("hsc", 0.9))
        for bits in (64, 16)
    ]
    (arena,) = arenas(cells, Evidence())
    assert [(point.method, point.bits) for point in arena.points] == [
        *(("trunk + hsc", 16), ("trunk + hsc", 64), ("trunk + csq", 16), ("trunk + csq", 64))
    ]
    assert arena.metric == MAP


def test_protocols_are_never_brought_together(make_results: Make) -> None:
    cells = [make_results("hsc", value=0.5, protocol=name) for name in ("b@1", "a@1")]
    assert [arena.protocol for arena in arenas(cells, Evidence())] == ["a@1", "b@1"]


def test_latency_is_the_median_over_seeds_by_setting(make_results: Make) -> None:
    cells = [make_results("hsc", value=0.5, seed=s, ms=ms) for s, ms in enumerate((1.0, 5.0, 2.0))]
    ((setting, found),) = arenas(cells, Evidence())[0].points[0].latencies.items()
    assert setting == "exact, batch 1, 1 thread, top 10 of 500 on abacus (x86-64-v3)"
    assert (found.p50, found.p95) == (2.0, 4.0)


def test_the_front_keeps_what_nothing_beats_in_both() -> None:
    def offer(cost: float, quality: float) -> Offer:
        return Offer("m", "16 bits", cost, quality, "")

    kept = [offer(1, 0.2), offer(2, 0.5), offer(9, 0.9)]
    beaten = [offer(1, 0.1), offer(2, 0.2), offer(3, 0.5), offer(10, 0.9)]
    assert pareto_front([*beaten, *reversed(kept)]) == kept


@pytest.mark.parametrize(
    ("loss", "method", "expected"),
    [
        ("hsc", None, "labels"),
        ("cibhash", None, "none"),
        (None, "itq", "none"),
        (None, "predicted_class", "labels"),
        ("of a plugin that is not here", None, "unknown"),
    ],
)
def test_supervision_is_what_the_components_card_says(
    cell: Cell, loss: str | None, method: str | None, expected: str
) -> None:
    from dataclasses import replace

    own = replace(
        cell,
        loss=Component(loss, 1) if loss else None,
        method=Component(method, 1) if method else None,
    )
    assert supervision_of(own) == expected
