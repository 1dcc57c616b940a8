"""The command lines of the page: what is started, and what an estimate asks."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.cli.loading import load
from hashbench.core.errors import ConfigError
from hashbench.studio.commands import estimate, run_words, start_run
from hashbench.studio.context import StudioContext
from hashbench.studio.forms.matrix_check import check
from hashbench.studio.jobs import jobs

MATRIX = """\
version: 1
name: small
datasets: {name: digits, subset: {train: 50, query: 10, database: 100}}
bits: [16, 32]
methods: {pairs: [{method: lsh}]}
"""


def test_a_run_is_started_on_the_matrix_that_was_checked(
    context: StudioContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_launch", lambda folder: folder)
    folder = start_run(MATRIX, context)
    assert isinstance(folder, Path)
    wanted = load(folder / "matrix.yaml")

    assert wanted.cells == check(MATRIX, context).cells
    assert wanted.request.keep_model


def test_a_matrix_with_mistakes_starts_nothing(context: StudioContext) -> None:
    with pytest.raises(ConfigError):
        start_run(MATRIX + "sedes: 1", context)
    assert not context.jobs.exists()


def test_the_command_names_store_data_and_plugins(context: StudioContext) -> None:
    wider = replace(context, plugins=(Path("/p.py"),))
    words = run_words(Path("/m.yaml"), wider)

    assert words[:3] == ("hashbench", "run", "/m.yaml")
    for option, value in (
        ("--store", context.store),
        ("--data-root", context.data_root),
        ("--plugin", "/p.py"),
    ):
        assert words[words.index(option) + 1] == str(value)


def fake(lines: str, code: int = 0, *, errors: str = "") -> str:
    return f"import sys; print({lines!r}); print({errors!r}, file=sys.stderr); sys.exit({code})"


def test_an_estimate_adds_up_what_is_known_of_the_cells(
    context: StudioContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = '"state": "missing", "source": "from 1 record", "stored_bytes": 1048576'
    lines = f"""\
{{"event": "plan", "cells": 3}}
{{"event": "cell", {about}, "seconds": 60.0, "peak_memory_bytes": 2097152}}
{{"event": "cell", {about}, "seconds": 30.0, "peak_memory_bytes": 4194304}}
{{"event": "cell", "state": "done", "seconds": null, "source": null}}
"""
    monkeypatch.setattr(jobs, "MAIN", fake(lines))

    assert estimate(check(MATRIX, context), tmp_path, context).lines == (
        "3 cells: 1 in the store already, 2 to run",
        "time: about 1.5 min, one cell after another",
        "disk: about 2.0 MiB in the store",
        "memory: about 4 MiB while a cell is trained",
        "judged from 1 record",
    )


def test_what_the_command_refuses_is_told_without_a_path_of_the_page(
    context: StudioContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = f"error: {tmp_path}/matrix.yaml: execute.device: cuda: no CUDA device here"
    monkeypatch.setattr(jobs, "MAIN", fake("", 2, errors=errors))
    with pytest.raises(ConfigError, match=r"^matrix\.yaml: execute\.device: cuda: no CUDA"):
        estimate(check(MATRIX, context), tmp_path, context)


def test_the_program_is_the_command_that_is_shown(context: StudioContext) -> None:
    job = jobs.start(context.jobs, "export", "t", argv=lambda _: ["hashbench", "--version"])

    assert job.command.program == (sys.executable, "-c", jobs.MAIN, "--version")
    jobs_over = jobs.find(context.jobs, job.id)
    while not jobs_over.state.over:
        jobs_over = jobs.find(context.jobs, job.id)
    assert jobs_over.message.startswith("hashbench, version ")
