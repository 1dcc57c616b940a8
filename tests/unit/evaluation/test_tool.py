"""The choice of a tool: the one that is set, else the fastest that is available."""

from __future__ import annotations

import sys

import pytest

from hashbench.core.errors import ConfigError
from hashbench.evaluation import tool
from hashbench.evaluation.tool import VARIABLE, WORTH_COMPILED, Tool, choose


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    """A process that has not evaluated yet."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, "hashbench.evaluation.kernels.compiled", raising=False)
    tool.numba_problem.cache_clear()
    yield
    tool.numba_problem.cache_clear()


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)


def test_small_evaluations_do_not_wait_for_the_compiler():
    assert choose(WORTH_COMPILED - 1) is Tool.NUMPY
    assert choose(WORTH_COMPILED) is Tool.NUMBA


def test_once_loaded_compiled_loops_are_used_for_everything(monkeypatch):
    monkeypatch.setitem(sys.modules, "hashbench.evaluation.kernels.compiled", object())
    assert choose(1) is Tool.NUMBA


def test_without_numba_numpy_counts(without_numba):
    assert choose(WORTH_COMPILED) is Tool.NUMPY
    assert "numba" in (tool.numba_problem() or "")


@pytest.mark.parametrize("name", list(Tool))
def test_the_environment_decides_first(monkeypatch, name):
    monkeypatch.setenv(VARIABLE, name)
    assert choose(1) is choose(WORTH_COMPILED) is name


def test_asking_for_numba_where_it_does_not_load_is_refused(monkeypatch, without_numba):
    monkeypatch.setenv(VARIABLE, "numba")
    with pytest.raises(ConfigError, match=r"^HASHBENCH_COUNTING: numba does not load .*; write"):
        choose(1)


def test_an_unknown_tool_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "nunba")
    with pytest.raises(ConfigError) as caught:
        choose(1)
    assert str(caught.value) == ("HASHBENCH_COUNTING: unknown tool 'nunba'. Did you mean 'numba'?")
