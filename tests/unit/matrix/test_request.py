"""What a matrix wants measured."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.job import LatencySetting, Request
from hashbench.core.registry import Registry
from hashbench.matrix.expand import expand
from hashbench.matrix.load import load_matrix
from hashbench.matrix.request import build_request

MATRIX = """\
version: 1
name: test
datasets: [digits]
methods: {pairs: [{method: lsh}]}
bits: 16
"""


@pytest.fixture
def request_of(write: Callable[[str], Path], components: Registry) -> Callable[[str], Request]:
    def build(text: str) -> Request:
        matrix = load_matrix(write(MATRIX + text), components)
        return build_request(matrix, expand(matrix, components))

    return build


def test_the_defaults_are_map_over_the_whole_database_and_no_latency(
    request_of: Callable[[str], Request],
) -> None:
    found = request_of("")
    assert found.metrics == ("map@all/div=hits/ties=expected/empty=zero",)
    assert found.float_metrics == found.metrics
    assert found.latency == ()
    assert (found.device, found.timeout, found.data_root) == ("auto", None, None)
    assert found.threads == len(os.sched_getaffinity(0))


def test_names_are_crossed_with_cut_offs_each_once(request_of: Callable[[str], Request]) -> None:
    found = request_of(
        "evaluate: {metrics: [map, map@5, precision@all], cutoffs: [5, all], radius: 2}\n"
    )
    assert [name.partition("/")[0] for name in found.metrics] == [
        "map@5",
        "map@all",
        "precision@all",
        "precision@r2",
        "recall@r2",
    ]
    assert [name.partition("/")[0] for name in found.float_metrics] == [
        "map@5",
        "map@all",
        "precision@all",
    ]


def test_every_batch_of_every_engine_is_a_setting_each_once(
    request_of: Callable[[str], Request],
) -> None:
    found = request_of(
        "latency:\n  - {engine: exact, k: 10}\n  - {engine: exact, k: 10, batches: 1}\n"
    )
    assert found.latency == (
        LatencySetting("exact", 10, 1, 1),
        LatencySetting("exact", 10, 100, 1),
    )


def test_every_k_is_crossed_with_every_batch(request_of: Callable[[str], Request]) -> None:
    found = request_of("latency: [{engine: exact, k: [1, 10], batches: [1, 100], threads: 2}]\n")
    assert [(each.k, each.batch, each.threads) for each in found.latency] == [
        (1, 1, 2),
        (1, 100, 2),
        (10, 1, 2),
        (10, 100, 2),
    ]


def test_an_engines_parameters_are_filled_in(request_of: Callable[[str], Request]) -> None:
    found = request_of(
        "latency:\n"
        "  - {engine: faiss_ivf, batches: 1, params: {nprobe: 3}, samples: 10000, seconds: 1m}\n"
        "  - {engine: faiss_ivf, batches: 1, params: {nprobe: 4}}\n"
    )
    assert found.latency == (
        LatencySetting("faiss_ivf", 100, 1, 1, {"nlist": None, "nprobe": 3}, 10_000, 60.0),
        LatencySetting("faiss_ivf", 100, 1, 1, {"nlist": None, "nprobe": 4}),
    )


def test_models_are_kept_only_where_the_matrix_asks(request_of: Callable[[str], Request]) -> None:
    assert request_of("").keep_model is False
    assert request_of("execute: {keep_model: true}\n").keep_model is True


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5m", 90), ("4h", 14400), ("30", 30), ("0.5", 0.5)]
)
def test_a_timeout_has_a_unit_or_is_in_seconds(
    text: str, seconds: float, request_of: Callable[[str], Request]
) -> None:
    assert request_of(f"execute: {{timeout: {text}}}\n").timeout == seconds


def test_paths_are_relative_to_the_matrix_file(
    request_of: Callable[[str], Request], tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    assert request_of("execute: {data_root: images}\n").data_root == tmp_path / "images"


def test_execution_is_taken_over(request_of: Callable[[str], Request]) -> None:
    found = request_of("execute: {device: cpu, threads: 3}\n")
    assert (found.device, found.threads) == ("cpu", 3)
