"""``hashbench serve``: the installed command on a store of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import in_process
import pytest
from PIL import Image

from hashbench.datasets.loading import load_data
from hashbench.serve.client import AnswerError, Client
from hashbench.serve.discovery import find_server

COMMAND = str(Path(sys.executable).with_name("hashbench"))
ENVIRONMENT = {**os.environ, "COLUMNS": "100"}
MATRIX = """\
version: 1
name: kept
datasets: [{name: digits, subset: {train: 300, query: 20, database: 300}}]
methods: {pairs: [{backbone: mlp, loss: hsc}]}
bits: [16]
train: {epochs: 2}
execute: {keep_model: true, threads: 1}
"""
PATIENCE = 120.0


def hashbench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return in_process.hashbench(*words, folder=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store ``kept`` that has one fit."""
    place = tmp_path_factory.mktemp("serve")
    (place / "kept.yaml").write_text(MATRIX)
    done = hashbench(place, "run", "kept.yaml", "--store", "kept")
    assert done.returncode == 0, done.stderr
    return place


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Return what starts a worker and waits until it answers; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [COMMAND, "serve", "kept", *words],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        until = time.monotonic() + PATIENCE
        while find_server(folder / "kept") is None:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def digit() -> bytes:
    """A query of digits@1 as a PNG file."""
    data = load_data("digits", "digits@1")
    buffer = io.BytesIO()
    Image.fromarray(data.data.images[data.split.query[0]]).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_served_store_is_searched_with_an_image_as_query_does_it(
    folder: Path, start: Start
) -> None:
    (folder / "one.png").write_bytes(digit())
    process = start("--token")
    client = Client.of_store(folder / "kept")
    (method,) = client.get("methods")["methods"]

    said = client.post(f"methods/{method['id']}/search", digit(), k=7)

    printed = hashbench(folder, "query", method["id"], "one.png", "-k", "7", "--store", "kept")
    rows = [line.split() for line in printed.stdout.splitlines()[2:]]
    assert [[str(r["rank"]), str(r["distance"])] for r in said["results"]] == [
        row[:2] for row in rows
    ]
    assert [f"digits[{r['position']}]" for r in said["results"]] == [row[2] for row in rows]
    assert [r["labels"] for r in said["results"]] == [row[3:] for row in rows]
    picture = client.raw("GET", said["results"][0]["thumbnail"].removeprefix("/v1/"))
    assert Image.open(io.BytesIO(picture)).size == (8, 8)

    with pytest.raises(AnswerError) as refused:
        Client(client._port).get("methods")
    assert refused.value.status == 401

    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    first, second = output.splitlines()
    assert first.startswith(f"serving on http://127.0.0.1:{client._port}/v1 (process ")
    assert client._headers == {"Authorization": f"Bearer {second.removeprefix('token: ')}"}
    assert not (folder / "kept" / ".work").exists()


@pytest.mark.thorough
def test_ctrl_c_ends_a_worker_with_the_code_of_an_interruption(start: Start, folder: Path) -> None:
    process = start()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("interrupted")
    assert output.startswith("serving on ")
    assert find_server(folder / "kept") is None


def test_datasets_and_runs_are_listed_by_the_client(start: Start, folder: Path) -> None:
    start()
    client = Client.of_store(folder / "kept")
    (run,) = client.get("runs")["runs"]
    (method,) = client.get("methods")["methods"]
    assert (run["id"], run["method"], run["bits"]) == (method["id"], "mlp + hsc", 16)
    assert (run["status"], run["searchable"], run["metrics"]) == ("ok", True, method["metrics"])
    digits = {each["name"]: each for each in client.get("datasets")["datasets"]}["digits"]
    assert digits["here"] is True
    assert "digits@1" in [each["name"] for each in digits["protocols"]]


@pytest.mark.thorough
def test_a_second_worker_is_refused_and_a_killed_one_is_replaced(
    folder: Path, start: Start
) -> None:
    first = start()
    done = hashbench(folder, "serve", "kept")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: serve: kept is served already by process {first.pid} at http")
    found = find_server(folder / "kept")
    assert found is not None
    port = found.port
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "empty" / "store.json").write_text((folder / "kept" / "store.json").read_text())
    done = hashbench(folder, "serve", "empty", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: --port {port}: Address already in use; name another, or 0 for one that is free"
    ]

    first.kill()
    first.communicate()
    stale = json.loads((folder / "kept" / ".work" / "serve.json").read_text())
    assert stale["pid"] == first.pid
    assert find_server(folder / "kept") is None
    second = start()
    assert Client.of_store(folder / "kept").get("health")["pid"] == second.pid


def test_no_store_is_told_in_one_line(folder: Path) -> None:
    done = hashbench(folder, "serve", "gone")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: store gone: no such store")
