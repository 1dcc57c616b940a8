"""``baselines``: the rows that every table needs, on each of the features named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hashbench.matrix.expand import Expansion

Expand = Callable[[str], Expansion]

ROWS = ["cosine", "predicted_class", "lsh", "pca_rr", "itq"]
MATRIX = """\
datasets: [{data}]
methods: {methods}
bits: [16, 32]
seeds: [0, 1]
"""


def rows(expansion: Expansion) -> list[tuple[str, str]]:
    """Method and features of each cell, once, in order."""
    pairs = (
        (cell.method.name, cell.backbone.name if cell.backbone else "pixels")
        for cell in expansion.cells
        if cell.method
    )
    return list(dict.fromkeys(pairs))


@pytest.mark.parametrize("data", ["digits", "digit_mixtures"])
def test_it_stands_for_five_rows_on_each_of_the_features_in_order(
    data: str, expanded: Expand
) -> None:
    found = expanded(MATRIX.format(data=data, methods="{baselines: [pixels, mlp]}"))
    assert rows(found) == [(name, on) for on in ("pixels", "mlp") for name in ROWS]
    # Float features have neither bits nor chance; each other row has a cell for both.
    assert len(found.cells) == 2 * (1 + 4 * 2 * 2)


def test_its_cells_are_those_of_the_methods_named_one_by_one(expanded: Expand) -> None:
    short = expanded(MATRIX.format(data="digits", methods="{baselines: pixels}"))
    pairs = ", ".join(f"{{method: {name}}}" for name in ROWS)
    long = expanded(MATRIX.format(data="digits", methods=f"{{pairs: [{pairs}]}}"))
    assert [cell.fit_id for cell in short.cells] == [cell.fit_id for cell in long.cells]


def test_a_row_that_is_named_as_a_pair_too_is_run_once(expanded: Expand) -> None:
    methods = "{pairs: [{method: itq}], baselines: [pixels, pixels]}"
    found = expanded(MATRIX.format(data="digits", methods=methods))
    assert rows(found) == [(name, "pixels") for name in ("itq", *ROWS[:-1])]
