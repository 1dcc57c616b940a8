"""A matrix on a real Slurm cluster of two nodes: what becomes of each cell, and of the run.

slurm_engine.py starts the cluster, slurm_cells.py has the cells.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from . import slurm_engine, stored

COMMAND = str(Path(sys.executable).with_name("hashbench"))
HERE = Path(__file__).parent
PATIENCE = 150.0
LEASE = "3"
HEAD = """\
version: 1
name: cluster
datasets: [{{name: fashion_mnist_mini, subset: {{train: 60, query: 10, database: 200}}}}]
methods: {{pairs: [{pairs}]}}
bits: {bits}
train: {{epochs: 4, batch_size: 20}}
plugins: [slurm_cells.py]
execute:
  device: cpu
  threads: 1
  timeout: {timeout}
  retries: {{killed: 1}}
  slurm: {{gpus: 1, time: 10m, requeues: 1}}
"""
# The kinds of cells that wait for somebody need no GPU, so that there are enough for the rest.
WITHOUT_GPU = """\
overrides:
  - where: {method: [raises, dies, struck, cancelled]}
    execute: {slurm: {gpus: 0}}
  - where: {method: worn_out}
    execute: {slurm: {gpus: 0, requeues: 0}}
"""

LACKING = slurm_engine.missing() + ([] if importlib.util.find_spec("submitit") else ["submitit"])
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.thorough,
    pytest.mark.skipif(
        bool(LACKING), reason=f"not installed: {', '.join(LACKING)} (make clusters)"
    ),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """Return a running cluster."""
    with slurm_engine.running() as started:
        yield started


@dataclass
class Place:
    """A folder with matrices, the cells, and stores, on a cluster.

    Attributes:
        folder: The folder.
        engine: The cluster.
        runs: What was started and may still run.
    """

    folder: Path
    engine: Any
    runs: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, *pairs: str, bits: str = "16", timeout: str = "10m") -> None:
        """Write a matrix."""
        text = HEAD.format(pairs=", ".join(pairs), bits=bits, timeout=timeout)
        (self.folder / name).write_text(text)

    def start(self, matrix: str, *words: str, backend: str = "slurm") -> subprocess.Popen[str]:
        """Start a run."""
        store = "store" if backend == "slurm" else "local"
        command = [COMMAND, "run", matrix, "--backend", backend, "--store", store, "--lease", LEASE]
        run = subprocess.Popen(
            [*command, *words],
            cwd=self.folder,
            env=self.engine.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.runs.append(run)
        return run

    def hashbench(self, *words: str) -> str:
        """Return what another command prints, as seen from any login node."""
        done = subprocess.run(
            [COMMAND, *words, "--store", "store"],
            cwd=self.folder,
            env=self.engine.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, name: str) -> dict[str, Any]:
        """Wait until a cell says who is at work on it."""
        file = self.folder / "told" / f"{name}.json"
        self.wait_for(file.exists, name)
        return dict(json.loads(file.read_text()))

    def wait_for(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        until = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > until:
                shown = subprocess.run(
                    ["squeue", "--states=all", "--array"],
                    env=self.engine.environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                outputs = [p.read_text() for p in self.folder.glob("store/.slurm/jobs/*.out")]
                pytest.fail("\n".join([f"{what} did not come", shown.stdout, *outputs]))
            time.sleep(0.1)

    def fits(self, store: str = "store") -> dict[str, list[dict[str, Any]]]:
        """Return the fit records by method or loss, oldest first."""
        return stored.fits(self.folder / store)

    def jobs(self, state: str = "all") -> list[str]:
        """Return the cluster's jobs of the present store."""
        names = [p.stem for p in self.folder.glob("store/.slurm/arrays/*.json")]
        words = ["--noheader", "--array", f"--states={state}", f"--name={','.join(names)}"]
        return str(self.engine.ask("squeue", *words, "--format=%i")).split() if names else []


@pytest.fixture
def place(tmp_path: Path, engine: Any) -> Iterator[Place]:
    """Return a folder with the cells; no run outlives the test."""
    shutil.copy(HERE / "slurm_cells.py", tmp_path)
    made = Place(tmp_path, engine)
    yield made
    for run in made.runs:
        if run.poll() is None:
            run.kill()
            run.wait()
    jobs = made.jobs()
    if jobs:
        engine.ask("scancel", "--quiet", *jobs)


def end(run: subprocess.Popen[str]) -> tuple[int, str]:
    output, errors = run.communicate(timeout=PATIENCE)
    return run.returncode, output + errors


def check_that_it_went_on(place: Place, name: str, output: str) -> None:
    """See that a cell was queued again and went on from its second epoch."""
    (found,), (reference,) = place.fits()[name], place.fits("local")[name]
    assert stored.codes(found) == stored.codes(reference)
    assert found["history"] == reference["history"]
    assert (found["resumed_from"], reference["resumed_from"]) == (2, None)
    told = [line for line in output.splitlines() if f"tiny + {name} " in line]
    assert any("is queued again" in line for line in told), told
    assert not any("lease" in line for line in told), told  # it was given back in order


def test_every_end_of_a_cell_on_two_nodes_is_a_record_as_of_a_local_run(place: Place) -> None:
    kinds = ("quick", "raises", "dies", "struck", "cancelled", "worn_out")
    deep = ("preempted", "out_of_time")
    pairs = [f"{{method: {name}}}" for name in kinds]
    pairs += [f"{{backbone: tiny, loss: {{name: {name}, last_layer: bn}}}}" for name in deep]
    place.write("matrix.yaml", *pairs)
    with (place.folder / "matrix.yaml").open("a") as file:
        file.write(WITHOUT_GPU)
    place.write("slow.yaml", "{method: sleeps}", timeout="8s")

    # Two runs on one store, beside each other.
    run, slow = place.start("matrix.yaml"), place.start("slow.yaml")

    struck = place.told("struck-0")
    os.kill(struck["parent"], signal.SIGKILL)
    place.engine.ask("scancel", place.told("cancelled-0")["job"])
    place.engine.ask("scancel", "--signal=USR2", place.told("worn_out-0")["job"])
    place.engine.ask("scancel", "--signal=USR2", place.told("out_of_time-0")["job"])
    preempted = place.told("preempted-0")
    # It wants all GPUs of that node; the cell has one of them.
    urgent = ["--partition=urgent", "--gpus-per-node=2", f"--nodelist={preempted['node']}"]
    place.engine.ask("srun", "--quiet", *urgent, "true")
    local = [
        place.start("matrix.yaml", "--slots", "3", backend="local"),
        place.start("slow.yaml", backend="local"),
    ]

    (code, output), (slow_code, _) = end(run), end(slow)
    assert [end(each)[0] for each in local] == [3, 3]
    assert (code, slow_code) == (3, 3), output
    ours, theirs = (stored.records(place.folder / name) for name in ("store", "local"))
    nodes = {json.loads(p.read_text())["node"] for p in (place.folder / "told").glob("*.json")}
    assert nodes == set(slurm_engine.NODES)
    for name in ("quick", "raises", "dies", "sleeps"):
        assert ours[name] == theirs[name], name
    assert [r["status"] for r in place.fits()["dies"]] == ["killed", "killed"]
    assert [r["status"] for r in place.fits()["sleeps"]] == ["timeout"]

    for name in deep:
        check_that_it_went_on(place, name, output)
    lost, again = place.fits()["struck"]
    assert lost["status"] == "killed"
    assert f"Slurm job {struck['job']} on cluster hashbench-test" in lost["error"]["message"]
    assert stored.codes(again) == stored.codes(place.fits("local")["struck"][0])
    (cancelled,) = place.fits()["cancelled"]
    assert cancelled["status"] == "interrupted"
    assert "it was cancelled in Slurm" in cancelled["error"]["message"]
    (worn_out,) = place.fits()["worn_out"]
    assert worn_out["status"] == "timeout"
    assert "timed-out too many times" in worn_out["error"]["message"]
    assert place.told("quick16-0")["gpus"] in {"0", "1"}
    assert struck["gpus"] in {None, "", "NoDevFiles"}

    # What was cancelled is done by the next run; what failed by itself is not.
    code, output = end(place.start("matrix.yaml"))
    assert code == 3
    assert "9 cells" not in output
    assert [r["status"] for r in place.fits()["cancelled"]] == ["interrupted", "ok"]
    assert len(place.fits()["worn_out"]) == len(place.fits()["raises"]) == 1


def test_ctrl_c_leaves_the_jobs_to_slurm_and_the_same_command_attaches_again(place: Place) -> None:
    place.write("matrix.yaml", "{method: held}", bits="[8, 16]")
    run = place.start("matrix.yaml")
    both = [place.told(f"held{bits}-0")["job"] for bits in (8, 16)]

    run.send_signal(signal.SIGINT)
    code, output = end(run)

    assert code == 130
    assert "detached: 2 of 2 cells are with Slurm and go on" in output
    assert sorted(place.jobs("running")) == sorted(both)
    status = place.hashbench("status", "matrix.yaml")
    assert status.count("running") == 3, status
    assert f"Slurm job {both[0]} on cluster hashbench-test" in status

    run = place.start("matrix.yaml", "--json-events")
    assert run.stdout is not None
    events = iter(run.stdout.readline, "")
    started = 0
    while started < 2:  # both jobs are watched again
        started += json.loads(next(events))["event"] == "started"
    (place.folder / "go").touch()
    code, output = end(run)

    assert code == 0, output
    assert sorted(place.jobs()) == sorted(both)  # no cell was handed over twice
    assert [r["status"] for r in place.fits()["held"]] == ["ok", "ok"]
    assert place.hashbench("status", "matrix.yaml").endswith("2 done\n")


def test_cancel_ends_what_runs_and_forgets_what_waits(place: Place) -> None:
    place.write("matrix.yaml", "{method: held}", bits="[8, 16]")
    text = (place.folder / "matrix.yaml").read_text()
    text = text.replace("requeues: 1", "requeues: 1, parallel: 1")
    (place.folder / "matrix.yaml").write_text(text)
    run = place.start("matrix.yaml")
    place.told("held8-0")
    place.wait_for(lambda: len(place.jobs("pending")) == 1, "a waiting job")
    assert "queued" in place.hashbench("status", "matrix.yaml")
    run.send_signal(signal.SIGHUP)
    assert end(run)[0] == 130

    code, output = end(place.start("matrix.yaml", "--cancel"))

    assert code == 0, output
    assert place.jobs("running,pending") == []
    (record,) = place.fits()["held"]
    assert (record["status"], record["cell"]["bits"]) == ("interrupted", 8)
    assert place.hashbench("logs", record["fit_id"]).count("it was cancelled in Slurm") == 1


def test_what_slurm_refuses_is_one_line_and_leaves_nothing_behind(place: Place) -> None:
    place.write("matrix.yaml", "{method: quick}")
    text = (place.folder / "matrix.yaml").read_text()
    text = text.replace("gpus: 1", "gpus: 1, partition: gpuu")
    (place.folder / "matrix.yaml").write_text(text)

    code, output = end(place.start("matrix.yaml"))

    assert code == 2
    (error,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "Slurm refuses jobs for 1 of the cells: Invalid partition name specified." in error
    assert list((place.folder / "store" / ".slurm" / "open").iterdir()) == []


def test_doctor_shows_the_partitions_and_warns_of_a_store_that_nodes_cannot_see(
    place: Place,
) -> None:
    shown = place.hashbench("doctor", "--backend", "slurm")
    assert "slurm: cluster hashbench-test" in shown
    assert "slurm: partition main: up, nodes 2" in shown
    assert "gpu:2" in shown
    assert "slurm: no accounts" in shown
