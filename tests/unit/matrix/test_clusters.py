"""What cells ask of a cluster: for all of them, by rules for some, and never in an id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.clusters import RaySettings, SlurmSettings
from hashbench.core.errors import ConfigError
from hashbench.core.job import Request
from hashbench.core.registry import Registry
from hashbench.matrix.expand import Expansion, expand
from hashbench.matrix.load import load_matrix
from hashbench.matrix.request import build_request

MATRIX = """\
version: 1
name: test
datasets: [digits]
methods: {pairs: [{method: lsh}, {method: itq}]}
bits: [16, 32]
"""


@pytest.fixture
def resolved(
    write: Callable[[str], Path], components: Registry
) -> Callable[[str], tuple[Expansion, Request]]:
    def build(text: str) -> tuple[Expansion, Request]:
        matrix = load_matrix(write(MATRIX + text), components)
        expansion = expand(matrix, components)
        return expansion, build_request(matrix, expansion)

    return build


Resolve = Callable[[str], tuple[Expansion, Request]]


def by_name(found: tuple[Expansion, Request]) -> dict[tuple[str, int], SlurmSettings]:
    expansion, request = found
    return {
        (cell.method.name if cell.method else "", cell.bits or 0): request.slurm[cell.fit_id]
        for cell in expansion.cells
    }


def test_a_rule_changes_what_it_states_and_later_rules_win(resolved: Resolve) -> None:
    settings = by_name(
        resolved(
            "execute: {slurm: {partition: gpu, gpus: 1, mem: 16G, time: 90m}}\n"
            "overrides:\n"
            "  - {where: {method: lsh}, execute: {slurm: {gpus: 0, time: 10m}}}\n"
            "  - {where: {bits: 32}, execute: {slurm: {time: 1h, options: {nice: 10}}}}\n"
        )
    )
    usual = SlurmSettings(partition="gpu", gpus="1", mem="16G", time=5400)
    assert settings["itq", 16] == usual
    assert settings["lsh", 16] == SlurmSettings(partition="gpu", gpus="0", mem="16G", time=600)
    assert settings["lsh", 32] == SlurmSettings(
        partition="gpu", gpus="0", mem="16G", time=3600, options={"nice": "10"}
    )


def test_what_a_cell_asks_for_is_not_part_of_its_id(resolved: Resolve) -> None:
    plain, _ = resolved("")
    asking, request = resolved(
        "execute: {backend: slurm, slurm: {partition: gpu}, ray: {gpus: 0.5}}\n"
        "overrides: [{where: {bits: 16}, execute: {ray: {gpus: 0.25}}}]\n"
    )
    assert [c.fit_id for c in plain.cells] == [c.fit_id for c in asking.cells]
    assert request.backend == "slurm"
    assert [request.ray[c.fit_id] for c in asking.cells if c.bits == 16] == [
        RaySettings(gpus=0.25)
    ] * 2


def test_all_cores_are_told_from_a_number_of_threads(resolved: Resolve) -> None:
    assert resolved("")[1].all_cores is True
    assert resolved("execute: {threads: 2}\n")[1].all_cores is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("execute: {slurm: {gpu: 1}}", "execute.slurm.gpu: unknown key. Did you mean 'gpus'?"),
        ("execute: {slurm: {gpus: -1}}", "execute.slurm.gpus: "),
        ("execute: {slurm: {gpus: 'a100:'}}", "execute.slurm.gpus: "),
        ("execute: {slurm: {mem: 16 GB}}", "execute.slurm.mem: "),
        ("execute: {slurm: {time: tomorrow}}", "execute.slurm.time: should be seconds, or a"),
        ("execute: {slurm: {time: 1m}}", "execute.slurm.time: should be greater than or equal"),
        ("execute: {slurm: {notice: 20m}}", "execute.slurm.notice: "),
        ("execute: {slurm: {chunk: 0}}", "execute.slurm.chunk: "),
        ("execute: {ray: {gpus: -0.5}}", "execute.ray.gpus: "),
        (
            "overrides: [{where: {bits: 16}, execute: {}}]",
            "overrides.0.execute: says nothing; give slurm, ray, or both",
        ),
        (
            "overrides: [{where: {bits: 16}, execute: {threads: 2}}]",
            "overrides.0.execute.threads: unknown key",
        ),
    ],
)
def test_a_mistake_is_told_with_its_key(resolved: Resolve, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resolved(text + "\n")
    assert message in str(raised.value)
