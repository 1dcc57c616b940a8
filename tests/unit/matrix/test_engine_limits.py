"""Codes that a search engine cannot take are refused with the matrix, not half-way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hashbench.core.errors import ConfigError
from hashbench.matrix.expand import Expansion

BLOCKS = """
datasets: [{name: digits, protocol: digits@1, subset: {database: 50}}]
methods: {pairs: [{method: lsh}, {method: cosine}]}
bits: [12, 64]
"""


def test_an_engine_is_held_against_every_code_length(expanded: Callable[[str], Expansion]) -> None:
    engine = "{engine: faiss_multihash, params: {nhash: 2, b: 8}}"
    with pytest.raises(ConfigError) as caught:
        expanded(f"{BLOCKS}latency: [{{engine: exact}}, {engine}]\n")
    (problem,) = caught.value.problems
    assert (
        "latency.1.params: faiss_multihash: nhash 2 times b 8 is more than the 12 bits" in problem
    )


def test_an_engine_is_held_against_the_databases_size(
    expanded: Callable[[str], Expansion],
) -> None:
    with pytest.raises(ConfigError) as caught:
        expanded(f"{BLOCKS}latency: [{{engine: faiss_ivf, params: {{nlist: 51}}}}]\n")
    (problem,) = caught.value.problems
    assert "nlist 51 is more than the 50 codes of the database" in problem
    assert expanded(f"{BLOCKS}latency: [{{engine: faiss_ivf, params: {{nlist: 50}}}}]\n").cells


def test_without_a_subset_the_protocols_database_counts(
    expanded: Callable[[str], Expansion],
) -> None:
    whole = BLOCKS.replace(", subset: {database: 50}", "")
    assert expanded(f"{whole}latency: [{{engine: faiss_ivf, params: {{nlist: 51}}}}]\n").cells


def test_a_float_row_asks_nothing_of_an_engine(expanded: Callable[[str], Expansion]) -> None:
    floats = BLOCKS.replace("{method: lsh}, ", "")
    engine = "{engine: faiss_ivf, params: {nlist: 9999}}"
    assert len(expanded(f"{floats}latency: [{engine}]\n").cells) == 1
