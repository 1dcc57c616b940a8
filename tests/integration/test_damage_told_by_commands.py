"""Bad codes, models and files of codes, as the commands that meet them tell them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from hashbench.cli import main
from hashbench.core.record import FitRecord
from hashbench.store.catalogue import read_all
from hashbench.store.model import KeptModel, load_model, save_model
from hashbench.store.store import Store

MATRIX = """\
version: 1
name: kept
datasets: [{name: digits, subset: {query: 20, database: 300}}]
methods: {pairs: [{method: itq}]}
bits: [16]
execute: {keep_model: true, threads: 1}
"""
QUICK = ("-k", "5", "--batch", "1", "--samples", "5", "--seconds", "0.1s")


@pytest.fixture(scope="module", autouse=True)
def arithmetic_as_before() -> Iterator[None]:
    """Undo what commands in this process set for it."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store ``kept`` of one fit, an image, and codes of it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "kept.yaml").write_text(MATRIX)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "one.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(main, ["run", "kept.yaml", "--store", "kept"])
        assert done.exit_code == 0, done.stderr
        words = ["encode", fit_of(folder).fit_id, "one.png", "-o", "one.npz", "--store", "kept"]
        assert CliRunner().invoke(main, words).exit_code == 0
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the working folder."""
    copy = tmp_path / "place"
    shutil.copytree(made, copy)
    monkeypatch.chdir(copy)
    return copy


def fit_of(folder: Path) -> FitRecord:
    (found,) = read_all(Store.open(folder / "kept"))
    assert found.fit is not None
    return found.fit


def refusal(*words: str, code: int) -> str:
    """The one line of a command that is refused."""
    done = CliRunner().invoke(main, [*words, "--store", "kept"])
    assert (done.exit_code, done.stdout) == (code, ""), (done.stdout, done.exception)
    (line,) = done.stderr.splitlines()
    return line


def files_of(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("artifact", "words"),
    [
        ("codes", ("query", "FIT", "one.png")),
        ("codes", ("latency", "FIT", *QUICK)),
        ("model", ("query", "FIT", "one.png")),
        ("model", ("encode", "FIT", "one.png", "-o", "new.npz")),
    ],
)
def test_a_truncated_artifact_is_one_line_with_its_name(
    artifact: str, words: tuple[str, ...], place: Path
) -> None:
    fit = fit_of(place)
    file = place / "kept" / fit.fit_id / fit.artifacts[artifact].file
    file.write_bytes(file.read_bytes()[:-1])
    before = files_of(place)
    line = refusal(*(fit.fit_id if word == "FIT" else word for word in words), code=7)
    assert f"{file.relative_to(place)} has SHA-256" in line
    assert line.endswith(f"move {fit.fit_id} out of the store and run the matrix again")
    assert files_of(place) == before


def test_a_truncated_artifact_stops_the_run_that_evaluates_it(place: Path) -> None:
    fit = fit_of(place)
    file = place / "kept" / fit.fit_id / fit.artifacts["codes"].file
    file.write_bytes(file.read_bytes()[:-1])
    (place / "kept.yaml").write_text(MATRIX + "evaluate: {cutoffs: [7]}\n")
    done = CliRunner().invoke(main, ["run", "kept.yaml", "--store", "kept"])
    assert done.exit_code == 7
    assert f"{file.name} has SHA-256" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert len(list((place / "kept" / fit.fit_id).glob("evaluation-*.json"))) == 1


@pytest.mark.parametrize("words", [("query", "FIT"), ("encode", "FIT", "-o", "new.npz")])
def test_a_model_whose_outputs_are_not_finite_is_one_line(
    words: tuple[str, ...], place: Path
) -> None:
    store, fit = Store.open(place / "kept"), fit_of(place)
    kept = load_model(store, fit)
    state = {
        name: np.full_like(array, np.nan) if array.dtype.kind == "f" else array
        for name, array in kept.state.items()
    }
    broken = save_model(store, fit.fit_id, KeptModel(state, kept.classes, kept.database))
    later = {"finished": "2999", "artifacts": {**fit.artifacts, "model": broken}}
    changed = store.write_record(fit.model_copy(update=later))
    line = refusal(*(fit.fit_id if word == "FIT" else word for word in words), "one.png", code=2)
    assert line.startswith(f"error: record {changed.record_id}: its method cannot encode these")
    assert not (place / "new.npz").exists()


def wider(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "codes": np.zeros((1, 3), np.uint8), "bits": np.array(24)}


def empty(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "codes": np.zeros((0, 2), np.uint8), "paths": arrays["paths"][:0]}


def longest(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "codes": np.zeros((1, 129), np.uint8), "bits": np.array(1025)}


def not_finite(arrays: dict[str, Any]) -> dict[str, Any]:
    others = {key: arrays[key] for key in ("paths", "fit_id", "fit_record")}
    return {**others, "embeddings": np.full((1, 4), np.nan, np.float32)}


def infinite_bits(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "bits": np.array(np.inf)}


def numbers_for_paths(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "paths": np.zeros(1)}


def two_paths(arrays: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, "paths": np.array(["a", "b"])}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (wider, "codes: queries have 16 bits, the database 24"),
        (empty, "search: the database is empty"),
        (longest, "one.npz: codes: bits must be between 1 and 1024, got 1025; encode again"),
        (not_finite, "one.npz: embeddings: a value is NaN or infinite; encode again"),
        (infinite_bits, "one.npz: not a file that hashbench encode wrote"),
        (numbers_for_paths, "one.npz: not a file that hashbench encode wrote"),
        (two_paths, "one.npz: 2 paths for 1 codes; encode again"),
    ],
)
def test_codes_to_search_among_that_cannot_be_are_one_line(
    change: Callable[[dict[str, Any]], dict[str, Any]], problem: str, place: Path
) -> None:
    with np.load(place / "one.npz", allow_pickle=False) as arrays:
        np.savez(place / "one.npz", **change(dict(arrays)))
    fit_id = fit_of(place).fit_id
    line = refusal("query", fit_id, "one.png", "--among", "one.npz", code=2)
    assert line == f"error: {problem}"


def test_a_shape_without_end_is_no_file_of_codes(place: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }".ljust(117)
    (place / "one.npz").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"\n")
    line = refusal("query", fit_of(place).fit_id, "one.png", "--among", "one.npz", code=2)
    assert line == "error: one.npz: not a file that hashbench encode wrote"


@pytest.mark.parametrize(
    "value",
    ["[", "*a", "!!python/name:a.b x", "[" * 3000, "9" * 5000, "2024-99-99", "{a: 1, a: 2}"],
)
def test_an_engines_parameter_that_is_no_yaml_is_one_line(value: str, place: Path) -> None:
    fit_id = fit_of(place).fit_id
    line = refusal("latency", fit_id, *QUICK, "--engine", f"faiss_ivf:nprobe={value}", code=2)
    assert line.startswith("error: --engine faiss_ivf:nprobe:")


def test_codes_that_are_all_equal_are_found_in_their_order(place: Path) -> None:
    with np.load(place / "one.npz", allow_pickle=False) as arrays:
        equal = {
            **arrays,
            "codes": np.zeros((4, 2), np.uint8),
            "paths": np.array(list("abcd")),
        }
        np.savez(place / "one.npz", **equal)
    words = ["query", fit_of(place).fit_id, "one.png", "--among", "one.npz", "-k", "3"]
    done = CliRunner().invoke(main, [*words, "--store", "kept"])
    assert done.exit_code == 0
    assert [line.split()[2] for line in done.stdout.splitlines()[2:]] == ["a", "b", "c"]
