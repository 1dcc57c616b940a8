"""A group of losses where a matrix names a loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, Registry
from hashbench.matrix.expand import Expansion
from hashbench.matrix.load import load_matrix

Expand = Callable[[str], Expansion]

CLASSIC = ["dsh", "hashnet", "csq", "dpn"]
GRID = """\
datasets: [digits]
methods: {{grid: {{backbones: [mlp], losses: {losses}}}}}
bits: 16
"""
PLUGIN = '''
"""Groups that no installed one is like."""
from hashbench.methods.loss_groups import LossGroup
from hashbench.core.info import ComponentInfo


class Pointwise(LossGroup):
    """Losses of single images."""

    info = ComponentInfo(title="Pointwise")
    losses = ("csq", "greedyhash")


class Broken(LossGroup):
    """Names a loss that is not there."""

    info = ComponentInfo(title="Broken")
    losses = ("csq", "greedyhsh")
'''


def losses(expansion: Expansion) -> list[str]:
    return [cell.loss.name for cell in expansion.cells if cell.loss]


def refused(expanded: Expand, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        expanded(text)
    return [problem.partition("matrix.yaml:")[2] for problem in caught.value.problems]


def test_classic4_stands_for_its_four_losses_in_its_place(expanded: Expand) -> None:
    found = expanded(GRID.format(losses="[hsc, classic4, greedyhash]"))
    assert losses(found) == ["hsc", *CLASSIC, "greedyhash"]


def test_its_cells_are_those_of_the_losses_named_one_by_one(expanded: Expand) -> None:
    group = expanded(GRID.format(losses="classic4"))
    single = expanded(GRID.format(losses="[dsh, hashnet, csq, dpn]"))
    assert [cell.fit_id for cell in group.cells] == [cell.fit_id for cell in single.cells]


def test_a_loss_named_beside_its_group_runs_once_unless_it_differs(expanded: Expand) -> None:
    found = expanded(
        GRID.format(losses="[classic4, csq, {name: dsh, params: {quantisation: 0.1}}]")
    )
    assert losses(found) == [*CLASSIC, "dsh"]


def test_a_pair_may_name_a_group_too(expanded: Expand) -> None:
    found = expanded(
        """\
        datasets: [digits]
        methods: {pairs: [{backbone: mlp, loss: classic4}, {method: lsh}]}
        bits: 16
        """
    )
    assert losses(found) == CLASSIC
    assert len(found.cells) == 5


def test_a_last_layer_asked_of_a_group_is_that_of_each_loss(expanded: Expand) -> None:
    found = expanded(GRID.format(losses="[{name: classic4, last_layer: bn}]"))
    assert [cell.head.last_layer for cell in found.cells if cell.head] == ["bn"] * 4


def test_rules_may_name_a_group(expanded: Expand) -> None:
    found = expanded(
        GRID.format(losses="[classic4, hsc, greedyhash]")
        + "overrides: [{where: {loss: classic4}, train: {epochs: 3}}]\n"
        + "exclude: [{loss: [hsc], because: of the test}]\n"
    )
    epochs = {cell.loss.name: cell.train.epochs for cell in found.cells if cell.loss and cell.train}
    assert epochs == {**dict.fromkeys(CLASSIC, 3), "greedyhash": 100}


@pytest.mark.parametrize(
    ("losses", "problem"),
    [
        (
            "[hsc, {name: classic4, params: {margin: 1}}]",
            "losses.1.params.margin: classic4: unknown parameter",
        ),
        ("[{name: classic4, preset: paper}]", "losses.0.preset: classic4: unknown preset 'paper'"),
        ("[{name: classic4, last_layer: b}]", "losses.0.last_layer: unknown name 'b'"),
        ("[classic4, hcs]", "4:55: methods.grid.losses.1.name: unknown name 'hcs' in losses"),
    ],
)
def test_a_mistake_beside_or_in_a_group_is_told_at_its_place(
    losses: str, problem: str, expanded: Expand
) -> None:
    (line,) = refused(expanded, GRID.format(losses=losses))
    assert problem in line


def test_a_group_is_no_shallow_method(expanded: Expand) -> None:
    text = "datasets: [digits]\nmethods: {pairs: [{method: classic4}]}\nbits: 16\n"
    assert "unknown name 'classic4' in methods" in refused(expanded, text)[0]


def test_a_plugin_file_may_bring_a_group(expanded: Expand, tmp_path: Path) -> None:
    (tmp_path / "groups.py").write_text(PLUGIN)
    text = GRID.format(losses="[pointwise]") + "plugins: [groups.py]\n"
    assert losses(expanded(text)) == ["csq", "greedyhash"]


def test_a_group_with_an_unknown_loss_is_refused(expanded: Expand, tmp_path: Path) -> None:
    (tmp_path / "groups.py").write_text(PLUGIN)
    text = GRID.format(losses="[broken]") + "plugins: [groups.py]\n"
    assert (
        "unknown name 'greedyhsh' in losses. Did you mean 'greedyhash'?"
        in (refused(expanded, text)[0])
    )


def test_a_plugin_loss_cannot_take_the_name_of_a_group(
    write: Callable[[str], Path], components: Registry, tmp_path: Path
) -> None:
    (tmp_path / "clash.py").write_text(
        '"""A loss named like a group."""\n'
        "from hashbench.core.registry import Kind\n\n\n"
        "class Classic4:\n"
        '    """Mine."""\n\n'
        "    KIND = Kind.LOSS\n"
    )
    file = write("version: 1\nname: x\n" + GRID.format(losses="[hsc]") + "plugins: [clash.py]\n")
    with pytest.raises(ConfigError) as caught:
        load_matrix(file, components)
    (line,) = caught.value.problems
    assert "losses: the name 'classic4' is taken twice" in line
    assert "clash.py" in line


def test_every_group_names_losses_that_exist_and_each_once(components: Registry) -> None:
    for name in components.names(Kind.LOSS_GROUP):
        members = components.load(Kind.LOSS_GROUP, name).losses
        assert len(set(members)) == len(members) > 1
        assert set(members) <= set(components.names(Kind.LOSS))
