"""What travels with a cell to a node, and what is found wrong there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError, DataError
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.plan import Planned


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """Return a plugin file."""
    file = tmp_path / "here" / "mine.py"
    file.parent.mkdir()
    file.write_text("one = 1\n")
    return file


def with_plugin(item: Planned, plugin: Path) -> Planned:
    return replace(item, job=replace(item.job, plugins=(plugin,)))


def test_a_plugin_that_is_the_same_on_the_node_is_used_where_it_is(
    tmp_path: Path, plugin: Path, planned: Callable[[], Planned]
) -> None:
    requirements = NodeRequirements.collect([plugin], copies=tmp_path / "copies")
    item = requirements.apply(with_plugin(planned(), plugin))
    assert item.job.plugins == (plugin,)


@pytest.mark.parametrize("on_the_node", [None, "two = 2\n"])
def test_a_plugin_that_is_missing_or_another_there_comes_out_of_the_store(
    tmp_path: Path, plugin: Path, planned: Callable[[], Planned], on_the_node: str | None
) -> None:
    requirements = NodeRequirements.collect([plugin], copies=tmp_path / "copies")
    plugin.unlink()
    if on_the_node:
        plugin.write_text(on_the_node)
    (found,) = requirements.apply(with_plugin(planned(), plugin)).job.plugins
    assert found.name == "mine.py"
    assert found.read_text() == "one = 1\n"


def test_variables_of_ours_and_those_named_travel_and_no_others(
    tmp_path: Path, planned: Callable[[], Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, "OTHER": "no", "NAMED": "yes"})
    monkeypatch.setenv("HASHBENCH_WORD", "ours")
    requirements = NodeRequirements.collect((), copies=tmp_path, variables=["NAMED"])
    for name in ("HASHBENCH_WORD", "OTHER", "NAMED"):
        monkeypatch.delenv(name)
    requirements.apply(planned())
    found = {name: os.environ.get(name) for name in ("HASHBENCH_WORD", "OTHER", "NAMED")}
    assert found == {"HASHBENCH_WORD": "ours", "OTHER": None, "NAMED": "yes"}


def test_other_source_code_on_the_node_is_refused_in_one_line(
    tmp_path: Path, planned: Callable[[], Planned]
) -> None:
    requirements = replace(NodeRequirements.collect((), copies=tmp_path), source="0" * 64)
    with pytest.raises(ConfigError, match=r"^node .*: other source code .*install the same"):
        requirements.apply(planned())


def test_a_data_root_that_is_not_on_the_node_is_told_in_one_line(
    tmp_path: Path, planned: Callable[[], Planned]
) -> None:
    item = planned()
    item = replace(item, job=replace(item.job, data_root=tmp_path / "data"))
    with pytest.raises(DataError, match=r"^node .*: execute.data_root: .*data is not there"):
        NodeRequirements.collect((), copies=tmp_path).apply(item)
