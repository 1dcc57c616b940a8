"""A trained record is made again, bit for bit, in a worker of its own and without a matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from click.testing import CliRunner

from hashbench.audit.verify import verify_store
from hashbench.cli import main
from hashbench.core.cell import Cell, Component, Head
from hashbench.core.record import ReproductionRecord, Verdict


def test_a_record_is_made_again_bit_for_bit_without_its_matrix(
    bench: Callable[[str], Any], cell: Cell
) -> None:
    assert cell.train is not None
    deep = replace(
        cell,
        backbone=Component("mlp", 1, {"width": 32}),
        head=Head(),
        loss=Component("greedyhash", 1),
        train=replace(cell.train, epochs=2, augmentation="none", prepass=None),
    )
    made = bench("results")
    fit = made.run(deep)
    assert fit.error is None
    words = ["reproduce", fit.fit_id, "--store", str(made.store.root)]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.exception) == (0, None), result.output
    assert "level: bit-equal\ncodes: equal, 0.000% of bits differ\n" in result.stdout
    (kept,) = (r for r in made.store.records(fit.fit_id) if isinstance(r, ReproductionRecord))
    assert (kept.verdict, kept.fit_record) == (Verdict.BIT_EQUAL, fit.record_id)
    assert kept.codes_again == fit.artifacts["codes"].sha256
    assert verify_store(made.store.root).problems == []
