"""Training time, budget and convergence of records written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hashbench.core.energy import Energy
from hashbench.core.record import Budget, TrainingSpeed
from hashbench.reports.cost_tables import budget_tables, training_tables
from hashbench.reports.metric_tables import convergence_tables
from hashbench.reports.table import Table
from hashbench.reports.view import View
from hashbench.store.catalogue import CellResults

MAP = "map@all/div=hits/ties=expected/empty=zero"
Made = Callable[..., CellResults]
SPEED = TrainingSpeed(
    images_per_second=50.0,
    step_seconds={},
    flops_per_image=2e9,
    matrix_flops=1e12,
    utilisation=0.125,
)


def column(table: Table, name: str) -> list[str]:
    return list(table.frame[name])


def test_training_is_told_by_phase_with_what_a_cache_spared(
    made: Made, budget: Callable[..., Budget]
) -> None:
    phases = {"load": 9.0, "build": 1.0, "features": 8.0, "train": 4.0, "checkpoint": 5.0}
    cells = [
        made(fit={"phases": phases, "budget": budget(2), "spared": {"features": 8.0}}),
        made(loss="dsh", fit={"phases": {"build": 2.0, "train": 5.0}, "budget": budget(2)}),
    ]

    (table,) = training_tables(cells, trace=False)

    assert column(table, "method") == ["alexnet + dsh", "alexnet + hsc"]
    assert column(table, "training s") == ["7.00", "13.00"]
    assert column(table, "build s") == ["2.00", "1.00"]
    assert column(table, "features s") == ["-", "8.00"]
    assert column(table, "train s") == ["5.00", "4.00"]
    assert column(table, "of it spared s") == ["0.00", "8.00"]
    assert column(table, "images/s") == ["40", "50"]  # 200 images in 5 and 4 seconds
    assert not {"load s", "checkpoint s", "utilisation"} & set(table.frame.columns)
    assert any("counted in the phases as if it had been spent again" in n for n in table.notes)


def test_utilisation_stands_where_it_was_measured(
    made: Made, budget: Callable[..., Budget]
) -> None:
    cells = [
        made(fit={"budget": budget(2), "speed": SPEED}),
        made(loss="dsh", fit={"budget": budget(2)}),
    ]

    (table,) = training_tables(cells, trace=False)

    assert column(table, "utilisation") == ["-", "12.5 %"]


def test_energy_stands_in_both_tables_where_some_record_has_it(
    made: Made, budget: Callable[..., Budget]
) -> None:
    def drew(joules: float) -> dict[str, Any]:
        energy = Energy(source="nvml", joules={"training": joules, "encoding": 9e9})
        return {"budget": budget(2), "energy": energy}

    cells = [
        made(fit=drew(1500.0)),
        made(seed=1, fit=drew(2500.0)),
        made(loss="dsh", fit={"budget": budget(2)}),
    ]

    for (table,) in (
        training_tables(cells, trace=False),
        budget_tables(cells, trace=False, view=View()),
    ):
        assert column(table, "energy J") == ["-", "2,000"]
        (note,) = (note for note in table.notes if note.startswith("energy J: "))
        assert note.startswith("energy J: what the whole CUDA device (NVML) drew during training")


def test_without_energy_nothing_is_said_of_it(made: Made, budget: Callable[..., Budget]) -> None:
    cells = [made(fit={"budget": budget(2)})]
    (training,), (whole,) = (
        training_tables(cells, trace=False),
        budget_tables(cells, trace=False, view=View()),
    )
    for table in (training, whole):
        assert "energy J" not in table.frame.columns
        assert not any("energy" in note for note in table.notes)


def test_unequal_budgets_are_seen_beside_the_quality(
    made: Made, budget: Callable[..., Budget]
) -> None:
    phases = {"train": 4.0}
    cells = [
        made(0.6, fit={"budget": budget(2, 3 * 2**20), "phases": phases, "speed": SPEED}),
        made(0.8, seed=1, fit={"budget": budget(2), "phases": phases, "speed": SPEED}),
        made(0.9, loss="dsh", fit={"budget": budget(50), "phases": {"train": 60.0}}),
    ]

    (table,) = budget_tables(cells, trace=False, view=View())

    assert column(table, "method") == ["alexnet + dsh", "alexnet + hsc"]
    assert column(table, "map@all") == ["0.9000", "0.7000 ± 0.1414"]
    assert column(table, "epochs") == ["50", "2"]
    assert column(table, "images seen") == ["5,000", "200"]
    assert column(table, "device s") == ["60.00", "4.00 ± 0.00"]
    assert column(table, "peak MiB") == ["1", "3"]
    assert column(table, "parameters") == ["1,234", "1,234"]
    assert column(table, "TFLOP") == ["-", "0.4"]  # 200 images at 2 GFLOP
    assert "budgets are unequal: 2 to 50 epochs, 200 to 5,000 images seen" in table.notes


def test_equal_budgets_are_said_to_be_equal(made: Made, budget: Callable[..., Budget]) -> None:
    cells = [made(loss=loss, fit={"budget": budget(7)}) for loss in ("dsh", "hsc")]

    (table,) = budget_tables(cells, trace=False, view=View())

    assert "every trained network saw as many images in as many epochs" in table.notes


def test_costs_of_two_devices_are_two_tables(made: Made, budget: Callable[..., Budget]) -> None:
    cells = [
        made(device=device, seed=seed, fit={"budget": budget(1)})
        for seed, device in enumerate(("abacus", "loom"))
    ]

    assert len(training_tables(cells, trace=False)) == 2
    assert len(budget_tables(cells, trace=False, view=View())) == 2


def history(values: Sequence[float]) -> dict[str, list[dict[str, float]]]:
    entries: list[dict[str, float]] = [{"epoch": 1, "total": 3.0}]
    entries += [{"epoch": e, f"validation/{MAP}": v} for e, v in enumerate(values, start=2)]
    return {"history": entries}


def test_convergence_is_of_the_epochs_that_were_validated(made: Made) -> None:
    cells = [made(fit=history([0.2, 0.5])), made(seed=1, fit=history([0.4, 0.7]))]

    (table,) = convergence_tables(cells, trace=False, view=View())

    assert list(table.frame.columns) == ["method", "bits", "seeds", "epoch 2", "epoch 3"]
    assert table.frame.values.tolist() == [
        ["alexnet + hsc", "16", "2", "0.3000 ± 0.1414", "0.6000 ± 0.1414"]
    ]


def test_of_many_epochs_the_first_the_last_and_some_between_are_shown(made: Made) -> None:
    cells = [made(fit=history([0.01 * n for n in range(100)]))]

    (table,) = convergence_tables(cells, trace=False, view=View())

    shown = [int(name.split()[1]) for name in table.frame.columns[3:]]
    assert (shown[0], shown[-1], len(shown)) == (2, 101, 8)
    assert "8 of 100 epochs measured" in table.notes


def test_without_validation_there_is_no_convergence(made: Made) -> None:
    assert convergence_tables([made()], trace=False, view=View()) == []
