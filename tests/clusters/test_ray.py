"""A matrix on a real Ray cluster of two nodes: what becomes of each cell, and of the run.

ray_cells.py has the cells. The cluster's head has no room for any.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from . import stored

COMMAND = str(Path(sys.executable).with_name("hashbench"))
HERE = Path(__file__).parent
PATIENCE = 300.0
LEASE = 3.0
MATRIX = """\
version: 1
name: cluster
datasets: [{{name: fashion_mnist_mini, subset: {{train: 60, query: 10, database: 200}}}}]
methods: {{pairs: [{pairs}]}}
bits: [16]
train: {{epochs: 4, batch_size: 20}}
latency: [{latency}]
plugins: [ray_cells.py]
execute:
  device: cpu
  threads: 1
  timeout: {timeout}
  retries: {{killed: 0}}
  ray: {{gpus: 1}}
"""
WITHOUT_GPU = """\
overrides:
  - where: {method: [quick, raises]}
    execute: {ray: {gpus: 0}}
"""
DEEP = "{backbone: tiny, loss: {name: waits, last_layer: bn}}"

pytestmark = [
    pytest.mark.ray,
    pytest.mark.thorough,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="not installed: ray (pip install 'hashbench[ray]')",
    ),
]


@dataclass
class Engine:
    """A running cluster.

    Attributes:
        cluster: Ray's own means to make one on one machine.
    """

    cluster: Any

    def add_node(self) -> None:
        """Add a node with room for two cells and one GPU that is not there."""
        self.cluster.add_node(num_cpus=2, num_gpus=1)

    def lose(self, node: Any) -> None:
        """End a node as a power cut does."""
        self.cluster.remove_node(node, allow_graceful=False)

    def node_of(self, process: int) -> Any:
        """Return the node under whose control a process runs."""
        nodes = {raylet_of(node): node for node in self.cluster.worker_nodes}
        while process not in nodes:
            assert process > 1, "it runs under no node"
            process = parent_of(process)
        return nodes[process]


def raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def of_the_session(session: str) -> list[int]:
    """Return the processes that name a session of Ray in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if session in path.read_text(errors="replace"):
                found.append(int(path.parent.name))
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Return a running cluster: a head and two nodes; nothing of it is left afterwards."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    from ray.cluster_utils import Cluster

    terminated = signal.getsignal(signal.SIGTERM)  # which Ray takes
    head = {"num_cpus": 0, "num_gpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    session = cluster.head_node.get_session_dir_path()
    try:
        made = Engine(cluster)
        made.add_node()
        made.add_node()
        yield made
    finally:
        cluster.shutdown()
        signal.signal(signal.SIGTERM, terminated)
        patch.undo()
        until = time.monotonic() + 20
        while of_the_session(session) and time.monotonic() < until:
            time.sleep(0.2)
        for process in of_the_session(session):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        shutil.rmtree(session, ignore_errors=True)


@dataclass
class Place:
    """A folder with matrices, the cells, and stores, on a cluster.

    Attributes:
        folder: The folder.
        engine: The cluster.
        runs: What was started and may still run.
    """

    folder: Path
    engine: Engine
    runs: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, name: str, *pairs: str, timeout: str = "10m", latency: str = "") -> None:
        """Write a matrix."""
        text = MATRIX.format(pairs=", ".join(pairs), timeout=timeout, latency=latency)
        (self.folder / name).write_text(text)

    def start(self, *words: str, store: str = "store") -> subprocess.Popen[str]:
        """Start a command."""
        run = subprocess.Popen(
            [COMMAND, *words, "--store", store],
            cwd=self.folder,
            env={**os.environ, "HASHBENCH_TEST_WORD": "travels"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.runs.append(run)
        return run

    def run(self, matrix: str, *words: str) -> subprocess.Popen[str]:
        """Start a run on the cluster."""
        address = str(self.engine.cluster.address)
        words = ("--backend", "ray", "--address", address, "--lease", str(LEASE), *words)
        return self.start("run", matrix, *words)

    def told(self, name: str) -> dict[str, Any]:
        """Wait until a cell says who is at work on it."""
        file = self.folder / f"{name}.json"
        wait_for(file.exists, name)
        return dict(json.loads(file.read_text()))

    def fits(self, store: str = "store") -> dict[str, list[dict[str, Any]]]:
        """Return the fit records by method or loss, oldest first."""
        return stored.fits(self.folder / store)


def wait_for(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.1)


def end(run: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = run.communicate(timeout=PATIENCE)
    return run.returncode, output


@pytest.fixture
def place(tmp_path: Path, engine: Engine) -> Iterator[Place]:
    """Return a folder with the cells; no run outlives the test."""
    shutil.copy(HERE / "ray_cells.py", tmp_path)
    made = Place(tmp_path, engine)
    yield made
    (tmp_path / "go").touch()
    for run in made.runs:
        if run.poll() is None:
            run.kill()
            run.wait()


def test_every_end_of_a_cell_on_two_nodes_is_a_record_as_of_a_local_run(place: Place) -> None:
    pairs = ["{method: quick}", "{method: raises}", "{method: dies}", DEEP]
    place.write("matrix.yaml", *pairs, latency="{engine: exact, k: 5, batches: [1]}")
    with (place.folder / "matrix.yaml").open("a") as file:
        file.write(WITHOUT_GPU)
    place.write("slow.yaml", "{method: sleeps}", timeout="3s")
    run = place.run("matrix.yaml")
    waiting = place.told("waits")

    place.engine.lose(place.engine.node_of(waiting["parent"]))

    wait_for(lambda: not alive(waiting["pid"]), "the end of a worker whose node was lost")
    (place.folder / "go").touch()
    code, output = end(run)
    assert code == 3, output
    assert "its node was lost" in output
    quick = place.told("quick")
    assert end(place.run("slow.yaml"))[0] == 3
    for matrix in ("matrix.yaml", "slow.yaml"):
        code, shown = end(place.start("run", matrix, "--slots", "2", store="local"))
        assert code == 3, shown

    ours, theirs = (stored.records(place.folder / name) for name in ("store", "local"))
    for name in ("quick", "raises", "dies", "sleeps"):
        assert ours[name] == theirs[name], name
    assert {name: [r["status"] for r in found] for name, found in place.fits().items()} == {
        "quick": ["ok"],
        "raises": ["failed"],
        "dies": ["killed"],
        "sleeps": ["timeout"],
        "waits": ["ok"],
    }
    (found,), (reference,) = place.fits()["waits"], place.fits("local")["waits"]
    assert (stored.codes(found), found["history"]) == (
        stored.codes(reference),
        reference["history"],
    )
    assert (found["resumed_from"], reference["resumed_from"]) == (2, None)
    assert sorted(r["kind"] for r in ours["waits"]) == ["evaluation", "fit", "latency"]

    assert (quick["gpus"], waiting["gpus"], waiting["word"]) == ("", "0", "travels")
    # The lines of a run are its own: none of Ray, none of what workers printed.
    ours_to_say = ("cluster: ", "[", "fashion-mnist-mini@1[", "2 of 4 cells failed")
    assert [line for line in output.splitlines() if not line.startswith(ours_to_say)] == []
    left = [path.name for path in (place.folder / "store" / ".work").iterdir()]
    assert set(left) <= {record["fit_id"] for fits in place.fits().values() for record in fits}


def test_ctrl_c_ends_the_cells_in_order_and_the_next_run_goes_on(place: Place) -> None:
    place.write("matrix.yaml", DEEP)
    run = place.run("matrix.yaml")
    waiting = place.told("waits")

    run.send_signal(signal.SIGINT)
    code, output = end(run)

    assert code == 130, output
    assert "interrupted: finished work is kept" in output
    assert not alive(waiting["pid"])
    (record,) = place.fits()["waits"]
    assert (record["status"], record["error"]["message"]) == (
        "interrupted",
        "interrupted by the user",
    )
    (place.folder / "go").touch()
    code, output = end(place.run("matrix.yaml"))
    assert code == 0, output
    assert [r["status"] for r in place.fits()["waits"]] == ["interrupted", "ok"]
    assert place.fits()["waits"][1]["resumed_from"] == 2


def test_what_no_node_has_is_one_line_and_doctor_shows_what_they_have(place: Place) -> None:
    place.write("matrix.yaml", "{method: dies}")
    text = (place.folder / "matrix.yaml").read_text()
    (place.folder / "matrix.yaml").write_text(text.replace("{gpus: 1}", "{gpus: 3}"))

    code, output = end(place.run("matrix.yaml"))

    assert code == 2
    (error,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "asks for 1 CPUs, 3 GPUs, and no node of the Ray cluster has that" in error
    address = str(place.engine.cluster.address)
    doctor = place.start("doctor", "--backend", "ray", "--address", address)
    code, output = end(doctor)
    assert code == 0, output
    assert "2 CPUs, 1 GPUs" in output
    assert "sees the store and has the same hashbench" in output
