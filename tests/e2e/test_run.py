"""Runs of a matrix: what is done is kept, what fails is a row."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from in_process import hashbench

COMMAND = str(Path(sys.executable).with_name("hashbench"))
PLUGIN = Path(__file__).with_name("misbehaving.py")
MATRIX = """
version: 1
name: behaviour
datasets:
  - {{name: fashion_mnist_mini, subset: {{train: 60, query: 10, database: 200}}}}
methods: {{pairs: [{pairs}]}}
bits: [16]
train: {{epochs: 4, batch_size: 20}}
evaluate: {{cutoffs: [{cutoffs}]}}
latency: [{latency}]
execute: {{device: cpu, threads: 1, timeout: {timeout}, retries: {{killed: 0}}}}
plugins: [misbehaving.py]
"""
DEEP = "{backbone: tiny, loss: {name: pausing, last_layer: bn}}"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a matrix, its plugin and a store.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def write(
        self,
        *pairs: str,
        cutoffs: str = "all",
        latency: str = "",
        timeout: str = "5m",
    ) -> None:
        """Write the matrix."""
        text = MATRIX.format(
            pairs=", ".join(pairs), cutoffs=cutoffs, latency=latency, timeout=timeout
        )
        (self.folder / "matrix.yaml").write_text(text)

    def command(self, *words: str, store: str = "store") -> list[str]:
        """Return the words of a run."""
        return [COMMAND, "run", str(self.folder / "matrix.yaml"), *words, "--store", store]

    def run(self, *words: str, store: str = "store") -> subprocess.CompletedProcess[str]:
        """Run the matrix."""
        _, *words_of_run = self.command(*words, store=store)
        return hashbench(*words_of_run, folder=self.folder)

    def records(self, kind: str, store: str = "store") -> list[dict[str, Any]]:
        """Return the records of a kind, oldest first."""
        files = (self.folder / store).glob(f"*/{kind}-*.json")
        found = [json.loads(file.read_text()) for file in files]
        return sorted(found, key=lambda record: str(record["finished"]))

    def fits(self, store: str = "store") -> dict[str, list[dict[str, Any]]]:
        """Return the fit records by method or loss."""
        by_name: dict[str, list[dict[str, Any]]] = {}
        for record in self.records("fit", store):
            cell = record["cell"]
            by_name.setdefault((cell["method"] or cell["loss"])["name"], []).append(record)
        return by_name

    def heal(self) -> None:
        """Let everything go well from now on."""
        (self.folder / "healed").touch()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder with the plugin."""
    shutil.copy(PLUGIN, tmp_path)
    return Place(tmp_path)


def statuses(records: list[dict[str, Any]]) -> list[str]:
    return [str(record["status"]) for record in records]


def test_failing_cells_are_rows_and_what_is_done_is_not_done_again(place: Place) -> None:
    pairs = ("{method: raises}", "{method: dies}", "{method: fine}")
    place.write(*pairs)

    first = place.run()

    assert first.returncode == 3, first.stderr
    fits = place.fits()
    assert {name: statuses(found) for name, found in fits.items()} == {
        "raises": ["failed"],
        "dies": ["killed"],
        "fine": ["ok"],
    }
    assert fits["raises"][0]["error"]["message"] == "this is broken"
    assert "SIGKILL" in fits["dies"][0]["error"]["message"]
    assert "2 of 3 cells failed" in first.stderr

    # A cut-off and an engine more train nothing again; a cell that failed by itself waits for
    # --retry-failed, one that was killed does not.
    engine = "{engine: exact, k: 5, batches: [1]}"
    place.write(*pairs, cutoffs="all, 5", latency=engine)
    second = place.run()

    assert second.returncode == 3
    assert place.fits()["fine"] == fits["fine"]
    assert place.fits()["raises"] == fits["raises"]
    assert statuses(place.fits()["dies"]) == ["killed", "killed"]
    fine = fits["fine"][0]
    measured = place.records("evaluation") + place.records("latency")
    assert Counter(record["kind"] for record in measured) == {"evaluation": 2, "latency": 1}
    assert {record["fit_record"] for record in measured} == {fine["record_id"]}
    new = list(place.records("evaluation")[-1]["metrics"])
    assert new == ["map@5/div=hits/ties=expected/empty=zero"]

    place.heal()
    third = place.run("--retry-failed")

    assert third.returncode == 0, third.stderr
    assert statuses(place.fits()["raises"]) == ["failed", "ok"]
    assert place.fits()["fine"] == fits["fine"]

    # Other source code of the same version is told, or refused.
    with (place.folder / PLUGIN.name).open("a") as file:
        file.write("# another comment\n")
    fourth = place.run("--dry-run")

    assert fourth.returncode == 0
    assert "warning: 1 stored fit made by other source code of methods/fine" in fourth.stderr
    assert fourth.stdout.count("\ndone ") == 3
    assert place.run("--strict-code").returncode == 2
    assert not list((place.folder / "store" / ".work").iterdir())


def test_a_cell_that_takes_too_long_is_recorded_as_such(place: Place) -> None:
    place.write(DEEP, timeout="0.2s")

    ended = place.run()

    assert ended.returncode == 3
    assert statuses(place.fits()["pausing"]) == ["timeout"]
    assert place.fits()["pausing"][0]["error"]["message"].startswith("took longer than 0.2 s")


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not file.exists() or not file.read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.thorough
def test_after_ctrl_c_the_next_run_goes_on_and_ends_as_an_unbroken_one(place: Place) -> None:
    place.write("{method: fine}", DEEP)
    process = subprocess.Popen(
        place.command(),
        cwd=place.folder,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    paused = place.folder / "paused"
    wait_for(paused, process)

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)

    assert process.returncode == 130
    assert "run the command again to go on" in said
    assert not Path(f"/proc/{paused.read_text()}").exists()
    assert statuses(place.fits()["fine"]) == ["ok"]
    assert statuses(place.fits()["pausing"]) == ["interrupted"]

    place.heal()
    again, unbroken = place.run(), place.run("--select", "loss=pausing", store="unbroken")

    assert (again.returncode, unbroken.returncode) == (0, 0), again.stderr + unbroken.stderr
    assert len(place.fits()["fine"]) == 1
    resumed, whole = place.fits()["pausing"][-1], place.fits("unbroken")["pausing"][-1]
    assert (resumed["resumed_from"], whole["resumed_from"]) == (2, None)
    assert resumed["history"] == whole["history"]
    mine, theirs = (place.records("evaluation", store)[-1] for store in ("store", "unbroken"))
    assert mine["metrics"] == theirs["metrics"]
