"""Tables of metrics by any rows and columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from hashbench.core.cell import Cell
from hashbench.core.errors import ConfigError
from hashbench.reports.metric_tables import metric_tables
from hashbench.reports.table import Mark, Table
from hashbench.reports.view import Comparisons, View, parse_keys, parse_pivot, parse_tables
from hashbench.store.catalogue import CellResults

MAP = "map@all/div=hits/ties=expected/empty=zero"
Made = Callable[..., CellResults]


def tables(cells: Sequence[CellResults], view: View | None = None) -> list[Table]:
    return metric_tables(cells, trace=False, view=view)


def lines(table: Table) -> list[list[str]]:
    return [list(table.frame.columns), *table.frame.values.tolist()]


def test_losses_by_bits_are_means_and_deviations_over_seeds(made: Made) -> None:
    cells = [
        made(value, loss=loss, bits=bits, seed=seed)
        for loss, bits, seed, value in [
            ("csq", 16, 0, 0.5),
            ("csq", 16, 1, 0.7),
            ("csq", 32, 0, 0.8),
            ("csq", 32, 1, 0.8),
            ("dsh", 16, 0, 0.9),
            ("dsh", 16, 1, 0.9),
        ]
    ]

    (table,) = tables(cells, View(rows=("loss",)))

    # dsh's mean over what there is, 0.9, is above csq's 0.7; deviation of 0.5, 0.7: 0.2 / sqrt(2).
    assert lines(table) == [
        ["loss", "16 bits", "32 bits"],
        ["dsh", "0.9000 ± 0.0000", ""],
        ["csq", "0.6000 ± 0.1414", "0.8000 ± 0.0000"],
    ]


def test_methods_that_share_a_loss_get_rows_of_their_own(made: Made) -> None:
    cells = [made(0.2, backbone="alexnet"), made(0.8, backbone="resnet18")]

    (table,) = tables(cells, View(rows=("loss",)))

    assert lines(table) == [
        ["loss", "backbone", "16 bits"],
        ["hsc", "resnet18", "0.8000"],
        ["hsc", "alexnet", "0.2000"],
    ]
    assert "by backbone too, so that nothing different is averaged" in table.notes


def test_settings_of_one_loss_and_backbone_are_not_averaged(made: Made) -> None:
    cells = [made(0.2, params={"margin": 1}), made(0.8, params={"margin": 2})]

    (table,) = tables(cells, View(rows=("loss",)))

    assert [row[-1] for row in lines(table)[1:]] == ["0.8000", "0.2000"]
    assert lines(table)[1][1] == "alexnet + hsc (loss.margin=2)"


def test_two_protocols_of_one_dataset_are_not_averaged(made: Made) -> None:
    cells = [made(0.2, protocol="toy@1"), made(0.8, protocol="toy-2@1")]

    (table,) = tables(cells, View(rows=("loss",), columns=("dataset",)))

    assert lines(table) == [
        ["loss", "protocol", "toy"],
        ["hsc", "toy-2@1", "0.8000"],
        ["hsc", "toy@1", "0.2000"],
    ]


def test_code_lengths_that_no_key_tells_apart_are_not_averaged(made: Made) -> None:
    cells = [made(0.2, bits=8), made(0.8, bits=128)]

    (table,) = tables(cells, View(rows=("bits",), columns=()))
    (by_loss,) = tables(cells, View(rows=("loss",), columns=("dataset",)))

    assert lines(table) == [["bits", "value"], ["8", "0.2000"], ["128", "0.8000"]]
    assert lines(by_loss)[0] == ["loss", "bits", "toy"]


def test_devices_protocols_and_metrics_have_tables_of_their_own(made: Made) -> None:
    precision = "precision@10/ties=expected/empty=zero"
    cells = [
        made(0.1),
        made(0.2, device="other"),
        made(0.3, protocol="toy-2@1"),
        made(seed=1, metrics={precision: 0.4}),
    ]

    found = tables(cells)

    assert sorted(row for table in found for row in table.frame.iloc[:, 1]) == [
        *("0.1000", "0.2000", "0.3000", "0.4000"),
    ]
    assert len(found) == 4


def test_several_columns_are_crossed_in_their_own_order(made: Made) -> None:
    cells = [
        made(0.1, dataset=dataset, protocol=f"{dataset}@1", bits=bits)
        for dataset in ("zoo", "arc")
        for bits in (128, 16, None)
    ]

    (table,) = tables(cells, View(columns=("dataset", "bits")))

    assert list(table.frame.columns)[1:] == [
        *("arc, 16 bits", "arc, 128 bits", "arc, float"),
        *("zoo, 16 bits", "zoo, 128 bits", "zoo, float"),
    ]


def test_the_best_and_second_are_of_one_code_length_as_rounded(made: Made) -> None:
    values = {"csq": 0.70001, "dsh": 0.70002, "hsc": 0.6, "dpn": 0.5}
    cells = [made(value, loss=loss) for loss, value in values.items()]
    cells += [made(0.9, loss="csq", bits=32)]

    (table,) = tables(cells, View(rows=("loss",)))

    by_loss = dict(zip(table.frame["loss"], range(4), strict=True))
    assert table.marks == {
        (by_loss["csq"], 1): Mark(1),
        (by_loss["dsh"], 1): Mark(1),
        (by_loss["hsc"], 1): Mark(2),
    }


def test_best_and_second_follow_a_pivot_on_its_side(made: Made) -> None:
    cells = [made(0.7, loss="csq"), made(0.6, loss="dsh"), made(0.1, loss="csq", bits=32)]

    (table,) = tables(cells, View(rows=("bits",), columns=("loss",)))

    assert lines(table) == [
        ["bits", "csq", "dsh"],
        ["16", "0.7000", "0.6000"],
        ["32", "0.1000", ""],
    ]
    assert table.marks == {(0, 1): Mark(1), (0, 2): Mark(2)}


def test_letters_stand_beside_the_values_of_their_records(made: Made) -> None:
    cells = [made(0.7, loss="csq", seed=seed) for seed in (0, 1)] + [made(0.6, loss="dsh")]
    records = [results.evaluations[0].record_id for results in cells]
    letters = {(MAP, record): letter for record, letter in zip(records, "aab", strict=True)}

    (table,) = tables(cells, View(comparisons=Comparisons(letters, {MAP: 1})))

    assert table.marks == {(0, 1): Mark(1, "a"), (1, 1): Mark(2, "b")}
    assert "Holm over 1 comparison by the metric" in table.notes[-1]


def test_only_the_metrics_named_are_shown(made: Made) -> None:
    shorter = MAP.replace("@all", "@5")
    cells = [made(metrics={MAP: 0.1, shorter: 0.2})]

    (table,) = tables(cells, View(metrics=(shorter,)))

    assert lines(table)[1][1] == "0.2000"


def test_what_seeds_are_told_apart_by_is_no_mean(made: Made) -> None:
    cells = [made(0.1, seed=0), made(0.3, seed=1)]

    (table,) = tables(cells, View(columns=("seed",)))

    assert lines(table)[0] == ["method", "seed 0", "seed 1"]
    assert lines(table)[1][1:] == ["0.1000", "0.3000"]


def test_a_part_of_a_protocol_is_another_protocol(made: Made, cell: Cell) -> None:
    whole = made(0.1)
    assert whole.fit is not None
    part = replace(whole.fit.cell.data, subset=cell.data.subset)

    found = tables([whole, made(0.3, data=part)])

    assert [table.title for table in found] == [
        "map@all on toy@1",
        "map@all on toy@1[100/20/500#3]",
    ]


@pytest.mark.parametrize(
    ("rows", "columns", "pivot"),
    [
        ([], [], (("method",), ("bits",))),
        (["bits"], [], (("bits",), ("method",))),
        ([], ["method"], (("bits",), ("method",))),
        (["loss, backbone"], ["dataset", "bits"], (("loss", "backbone"), ("dataset", "bits"))),
    ],
)
def test_keys_are_lists_of_words_with_sensible_defaults(
    rows: list[str], columns: list[str], pivot: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    assert parse_pivot(rows, columns) == pivot


def test_unknown_words_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"--rows los: unknown key\. Did you mean 'loss'\?"):
        parse_keys(["bits,los"], "--rows")
    with pytest.raises(ConfigError, match=r"--table trainin: .* Did you mean 'training'\?"):
        parse_tables(["trainin"])
    with pytest.raises(ConfigError, match="--cols bits: --rows has this key too"):
        parse_pivot(["bits"], ["bits"])
