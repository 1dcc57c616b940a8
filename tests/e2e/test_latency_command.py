"""``hashbench latency``: engines on a record's codes, on larger ones, from the image file on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from in_process import hashbench

from hashbench.core.record import LatencyRecord
from hashbench.store.catalogue import read_all
from hashbench.store.store import Store

MATRIX = """\
version: 1
name: kept
datasets: [{name: digits, subset: {query: 20, database: 300}}]
methods: {pairs: [{method: itq}, {method: cosine}]}
bits: [16]
latency: [{engine: exact, k: 5, batches: 1, seconds: 0.1}]
execute: {keep_model: true, threads: 1}
"""
QUICK = ("-k", "5", "--batch", "1", "--samples", "30", "--seconds", "0.5s")


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call a command on the store."""
    return hashbench(*words, "--store", "kept", folder=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store ``kept`` of one binary method and the float row."""
    found = tmp_path_factory.mktemp("place")
    (found / "kept.yaml").write_text(MATRIX)
    assert call(found, "run", "kept.yaml").returncode == 0
    return found


def fit_of(folder: Path, method: str) -> str:
    fits = [cell.fit for cell in read_all(Store.open(folder / "kept")) if cell.fit]
    (found,) = [fit.fit_id for fit in fits if fit.cell.method and fit.cell.method.name == method]
    return found


def test_engines_are_measured_on_the_records_codes_and_on_resampled_ones(folder: Path) -> None:
    fit_id = fit_of(folder, "itq")
    engines = ("exact", "faiss_ivf:nlist=400,nprobe=4", "faiss_ivf:nprobe=4")
    words = [word for engine in engines for word in ("--engine", engine)]

    done = call(folder, "latency", fit_id, *words, *QUICK, "--size", "1e3")

    assert done.returncode == 0, done.stderr
    store = Store.open(folder / "kept")
    record = [r for r in store.records(fit_id) if isinstance(r, LatencyRecord)][-1]
    assert f"latency record {record.record_id}" in done.stdout
    told = [
        (entry.setting.engine, entry.setting.params.get("nlist"), entry.database)
        for entry in record.entries
    ]
    assert told == [
        ("exact", None, 300),
        ("faiss_ivf", None, 300),
        ("exact", None, 1000),
        ("faiss_ivf", 400, 1000),
        ("faiss_ivf", None, 1000),
        ("exact", None, 300),
    ]
    *engines_alone, whole = record.entries
    assert [e.resampled_from for e in engines_alone] == [None, None, 300, 300, 300]
    assert all(e.recall_queries == 20 and e.recall is not None for e in engines_alone)
    assert all(e.calls <= 30 and not e.includes_encoding for e in engines_alone)
    assert [e.facts.get("nlist") for e in engines_alone] == [None, 17, None, 400, 32]
    assert whole.includes_encoding
    assert whole.facts.keys() == {"decode_ms", "encode_ms", "search_ms"}
    assert whole.mean_ms > 0 and whole.recall is None

    (skipped,) = record.skipped
    assert (skipped.engine, skipped.database) == ("faiss_ivf", 300)
    why = "skipped: faiss_ivf on 300 codes: faiss_ivf: nlist 400 is more than the 300 codes"
    assert why in done.stdout

    counts = store.read_arrays(fit_id, record.artifacts["distances"])
    assert {size: int(each.sum()) for size, each in counts.items()} == {
        "300": 20 * 300,
        "1000": 20 * 1000,
    }
    spread = np.arange(17)
    means = {size: (each * spread).sum() / each.sum() for size, each in counts.items()}
    assert means["1000"] == pytest.approx(means["300"], abs=0.3)
    assert "share of the pairs of a query and a code at each distance:" in done.stdout
    assert ["distance", "300", "1,000"] in [line.split() for line in done.stdout.splitlines()]

    report = call(folder, "report").stdout
    assert "databases of 1,000 codes were resampled" in report
    assert "exact from the image file" in report
    # What was measured on other codes, or with encoding, is none of the matrix's own settings.
    assert "2 cells: 2 done" in call(folder, "run", "kept.yaml").stdout


def test_an_engine_beyond_its_limits_is_skipped_with_the_reason(folder: Path) -> None:
    fit_id = fit_of(folder, "itq")
    done = call(folder, "latency", fit_id, *QUICK, "--max-memory", "1MiB")
    assert done.returncode == 0, done.stderr
    line = "skipped: exact on 300 codes: its process took more than 0.000976562 GiB of memory"
    assert line in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--engine", "exakt"), "unknown name 'exakt' in engines. Did you mean 'exact'?"),
        (("--engine", "exact:k=3"), "--engine exact:k=3: k: unknown parameter"),
        (("--engine", "faiss_ivf:nprobe"), "write NAME:KEY=VALUE, e.g. faiss_ivf:nprobe=16"),
        (("--engine", "faiss_ivf:nprobe=0"), "nprobe: should be greater than or equal to 1"),
        (("--size", "300"), "has 300 codes already; give more"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    folder: Path, words: tuple[str, ...], problem: str
) -> None:
    done = call(folder, "latency", fit_of(folder, "itq"), *QUICK, *words)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert problem in line


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--size", "many"), "write numbers such as 1e6, not many"),
        (("--size", "1.5"), "write whole numbers above 0, such as 1e6"),
        (("--max-build", "soon"), "write seconds, or a number with s, m or h, not 'soon'"),
        (("--max-memory", "8GB"), "write a number with MiB or GiB, not '8GB'"),
        (("--redraw", "2"), "2.0 is not in the range"),
        (("--resampling", "swap"), "'swap' is not one of 'flip', 'cross'"),
    ],
)
def test_a_limit_that_cannot_be_read_says_how_to_write_it(
    folder: Path, words: tuple[str, ...], problem: str
) -> None:
    done = call(folder, "latency", "x", *words)
    assert done.returncode == 2
    assert problem in done.stderr


def test_a_float_row_has_no_codes_to_search(folder: Path) -> None:
    done = call(folder, "latency", fit_of(folder, "cosine"), *QUICK)
    assert done.returncode == 2
    assert "has embeddings; engines search codes" in done.stderr
