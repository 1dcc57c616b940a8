"""Cells submitted to Slurm, its answers, and the records of lost jobs.

Slurm's programs are scripts here; tests/clusters has the real ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashbench.core.cell import Cell
from hashbench.core.clusters import SlurmSettings
from hashbench.core.errors import ConfigError, DamagedStoreError
from hashbench.core.job import Request
from hashbench.core.record import Status
from hashbench.run.backends import BACKENDS, Backend
from hashbench.run.campaign import Task
from hashbench.run.launchers.local import run_cells as run_locally
from hashbench.run.launchers.slurm.arrays import Submitter, in_arrays, parameters
from hashbench.run.launchers.slurm.backend import cancel_cells, run_cells
from hashbench.run.launchers.slurm.launcher import SlurmLauncher
from hashbench.run.launchers.slurm.ledger import Array, Ledger, Place, Submitted
from hashbench.run.launchers.slurm.queue import JobState, describe_loss, last_state, states
from hashbench.run.launchers.slurm.submission_lock import find_submitted
from hashbench.run.node_requirements import NodeRequirements
from hashbench.run.options import RunOptions
from hashbench.run.plan import Planned
from hashbench.store.store import Store

REQUEST = Request(
    metrics=("map@all",),
    float_metrics=("map@all",),
    latency=(),
    validate_every=0,
    device="auto",
    threads=3,
    timeout=None,
    data_root=None,
    weights={},
    plugins=(),
)
CONFIG = "echo ClusterName = here"
SUBMITTED = Submitted(
    "f" * 16, Place("hashbench-1", 3, "a cell"), Array("hashbench-1", 9, "c", "17")
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return what puts a shell script in the place of one of Slurm's programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(name: str, script: str) -> None:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    for name in ("sbatch", "srun", "squeue", "scancel", "sinfo", "sacct"):
        put(name, "exit 1")
    put("scontrol", f'[ "$2" = config ] && {CONFIG}')
    return put


@pytest.fixture
def items(planned: Callable[[], Planned], cell: Cell) -> list[Planned]:
    """Return four planned cells, with 8 to 11 bits."""
    first = planned()
    cells = [replace(cell, bits=bits) for bits in (8, 9, 10, 11)]
    return [
        replace(
            first,
            cell=each,
            job=replace(first.job, cell=each),
            results=replace(first.results, fit_id=each.fit_id),
        )
        for each in cells
    ]


def test_jobs_are_read_by_id_and_broken_lines_passed_over(
    program: Callable[[str, str], None], tmp_path: Path
) -> None:
    lines = "17_0|RUNNING|None|node1|a\\n17_1|PENDING|Priority||a\\nslurm_load_jobs error\\n"
    program("squeue", f"echo \"$@\" > {tmp_path}/words; printf '{lines}'")
    found = states(["b", "a"])
    assert found == {
        "17_0": JobState("RUNNING", "None", "node1"),
        "17_1": JobState("PENDING", "Priority", ""),
    }
    assert (found["17_0"].waits, found["17_1"].waits) == (False, True)
    assert "--name=a,b" in (tmp_path / "words").read_text()


def test_how_a_job_ended_is_asked_of_the_controller_then_of_the_accounts(
    program: Callable[[str, str], None],
) -> None:
    assert last_state("17_3") is None
    program("sacct", "echo 'CANCELLED by 1000|None|node2|0:15'")
    assert last_state("17_3") == JobState("CANCELLED", "None", "node2", "0:15")
    program(
        "scontrol", "echo 'JobId=20 JobState=TIMEOUT Reason=TimeLimit ExitCode=0:1 NodeList=n1'"
    )
    assert last_state("17_3") == JobState("TIMEOUT", "TimeLimit", "n1", "0:1")


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (JobState("CANCELLED", node="n1"), Status.INTERRUPTED, "on node n1: it was cancelled"),
        (JobState("TIMEOUT"), Status.TIMEOUT, "execute.slurm.time"),
        (JobState("OUT_OF_MEMORY"), Status.OOM, "execute.slurm.mem"),
        (JobState("NODE_FAIL"), Status.KILLED, "its node failed"),
        (JobState("PREEMPTED"), Status.KILLED, "pre-empted and not queued again"),
        (JobState("FAILED", exit_code="137:0"), Status.KILLED, "exit code 137:0"),
        (JobState("FAILED", exit_code="0:9"), Status.KILLED, "exit code 0:9"),
        (JobState("FAILED", exit_code="1:0"), Status.FAILED, "(exit code 1:0): no such disk"),
        (JobState("COMPLETED", exit_code="0:0"), Status.FAILED, "ended without a word"),
        (JobState("STRANGE"), Status.KILLED, "it ended as STRANGE"),
        (None, Status.KILLED, "Slurm does not know it any more"),
    ],
)
def test_a_lost_job_says_how_it_ended(
    state: JobState | None, status: Status, words: str, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    output.write_text("".join(f"line {n}\n" for n in range(20)) + "no such disk\n\n")
    end = describe_loss(SUBMITTED, state, output)
    assert end.status is status
    assert end.cause.message.startswith("Slurm job 17_3 on cluster c")
    assert words in end.cause.message
    assert end.cause.traceback.splitlines() == [
        *(f"line {n}" for n in range(9, 20)),
        "no such disk",
    ]


def test_cells_that_ask_for_the_same_share_arrays_in_chunks(items: list[Planned]) -> None:
    a, b, c, d = items
    wide, narrow = SlurmSettings(chunk=2), SlurmSettings(chunk=2, gpus="0", options={"nice": "1"})
    by_id = {item.cell.fit_id: wide for item in (a, c, d)} | {b.cell.fit_id: narrow}
    assert in_arrays(items, replace(REQUEST, slurm=by_id)) == [[a, c], [d], [b]]


def test_what_a_cell_asks_for_in_submitits_words(items: list[Planned]) -> None:
    job = replace(items[0].job, threads=3, device="auto")
    settings = SlurmSettings(
        partition="gpu", gpus="a100:2", mem="16G", time=5401, options={"exclusive": "", "nice": "1"}
    )
    found = parameters(settings, job, REQUEST)
    assert found["partition"] == "gpu"
    assert found["gpus_per_node"] == "a100:2"
    assert (found["cpus_per_task"], found["mem"], found["time"]) == (3, "16G", 91)
    assert found["additional_parameters"] == {"requeue": True, "exclusive": True, "nice": "1"}
    assert "qos" not in found


@pytest.mark.parametrize(
    ("device", "gpus", "wanted"),
    [("auto", None, "1"), ("cpu", None, None), ("cuda", "0", None), ("cpu", "1", "1")],
)
def test_a_cell_has_one_gpu_unless_it_runs_on_the_cpu_or_says_otherwise(
    items: list[Planned], device: str, gpus: str | None, wanted: str | None
) -> None:
    job = replace(items[0].job, device=device)
    assert parameters(SlurmSettings(gpus=gpus), job, REQUEST).get("gpus_per_node") == wanted


def test_all_cores_of_the_login_node_are_not_asked_for(items: list[Planned]) -> None:
    job = replace(items[0].job, threads=64)
    everything = replace(REQUEST, threads=64, all_cores=True)
    assert parameters(SlurmSettings(), job, everything)["cpus_per_task"] == 1
    assert parameters(SlurmSettings(cpus=8), job, everything)["cpus_per_task"] == 8


def test_a_cell_is_told_to_leave_before_the_last_quarter_of_a_short_stay(
    items: list[Planned],
) -> None:
    job = items[0].job
    assert parameters(SlurmSettings(time=14400), job, REQUEST)["signal_delay_s"] == 120
    assert parameters(SlurmSettings(time=240), job, REQUEST)["signal_delay_s"] == 60


def test_the_list_knows_open_and_ended_cells(store: Store, items: list[Planned]) -> None:
    ledger, cells = Ledger(store), [item.cell for item in items]
    array = Array.new(4, "here")
    ledger.open(array, cells)
    unanswered = ledger.find(cells[1].fit_id)
    assert unanswered is not None and unanswered.job_id == ""
    ledger.note(replace(array, job_id="17"))
    found = Ledger(store).find(cells[1].fit_id)
    assert found is not None
    assert (found.job_id, found.place.label) == ("17_1", str(cells[1]))
    ledger.close(cells[1].fit_id, {"fit-b.json", "fit-a.json"})
    assert ledger.open_cells() == {cell.fit_id for cell in (cells[0], *cells[2:])}
    assert ledger.find(cells[1].fit_id) is None
    last = ledger.last(cells[1].fit_id)
    assert last is not None and last.place.records == ("fit-a.json", "fit-b.json")
    ledger.forget(cells[0].fit_id)
    assert ledger.last(cells[0].fit_id) is None


def test_a_job_that_is_no_array_has_no_index(store: Store, cell: Cell) -> None:
    ledger, array = Ledger(store), Array.new(1, "here")
    ledger.open(array, [cell])
    ledger.note(replace(array, job_id="18"))
    found = ledger.find(cell.fit_id)
    assert found is not None and found.job_id == "18"


def test_a_torn_list_is_refused_by_name(store: Store, cell: Cell) -> None:
    ledger = Ledger(store)
    ledger.open(Array.new(1, "here"), [cell])
    (file,) = (store.root / ".slurm" / "open").iterdir()
    file.write_text(file.read_text()[:9])
    with pytest.raises(DamagedStoreError, match=rf"{cell.fit_id}\.json is damaged"):
        ledger.find(cell.fit_id)


def test_a_run_that_died_before_slurm_answered_hands_nothing_over_twice(
    store: Store, items: list[Planned], program: Callable[[str, str], None]
) -> None:
    ledger = Ledger(store)
    taken, never = Array.new(2, "here"), Array.new(2, "here")
    ledger.open(taken, [item.cell for item in items[:2]])
    ledger.open(never, [item.cell for item in items[2:]])
    program(
        "squeue", f'case "$*" in *{taken.name}*) echo "21_0|RUNNING|None|n1|{taken.name}";; esac'
    )

    found = find_submitted(items, ledger)

    assert {each.job_id for each in found.values()} == {"21_0", "21_1"}
    assert ledger.open_cells() == {item.cell.fit_id for item in items[:2]}


def test_cells_go_to_slurm_once_and_in_one_array(
    store: Store, items: list[Planned], program: Callable[[str, str], None], heard: Any
) -> None:
    program("sbatch", f'cp "$1" {store.root}/script; echo Submitted batch job 23')
    ledger = Ledger(store)
    options = RunOptions(request=replace(REQUEST, threads=1))
    submitter = Submitter(ledger, options, "here", NodeRequirements())

    tasks = [Task(item, index) for index, item in enumerate(items)]

    assert SlurmLauncher(store, submitter, heard()).submit(tasks) == tasks

    taken = find_submitted(items, ledger)
    assert [taken[item.cell.fit_id].job_id for item in items] == ["23_0", "23_1", "23_2", "23_3"]
    script = (store.root / "script").read_text()
    assert "#SBATCH --array=0-3%4" in script
    assert "#SBATCH --requeue" in script
    assert f"#SBATCH --job-name={taken[items[0].cell.fit_id].array.name}" in script
    program("sbatch", "exit 1")
    assert SlurmLauncher(store, submitter, heard()).submit(tasks) == tasks
    assert find_submitted(items, ledger) == taken


@pytest.mark.parametrize("others", [True, False])
def test_a_limit_on_jobs_is_waited_for_only_while_others_run(
    store: Store,
    items: list[Planned],
    program: Callable[[str, str], None],
    heard: Any,
    *,
    others: bool,
) -> None:
    said = "sbatch: error: Batch job submission failed: Job violates policy (job submit limit)"
    program("sbatch", f"echo '{said}' >&2; exit 1")
    program("squeue", "true")
    ledger, observer = Ledger(store), heard()
    if others:
        other = Array.new(1, "here")
        ledger.open(other, [items[0].cell])
        ledger.note(replace(other, job_id="5"))
    submitter = Submitter(ledger, RunOptions(), "here", NodeRequirements())
    launcher = SlurmLauncher(store, submitter, observer)
    tasks = [Task(item, index) for index, item in enumerate(items[1:])]
    if others:
        assert launcher.submit(tasks) == []
        assert "takes no more for now: Job violates policy" in observer.put_offs[0]
        assert ledger.open_cells() == {items[0].cell.fit_id}
    else:
        with pytest.raises(ConfigError, match=r"refuses jobs for 3 of the cells: Job violates"):
            launcher.submit(tasks)
        assert ledger.open_cells() == set()


@pytest.mark.parametrize("act", [run_cells, cancel_cells])
def test_a_cell_that_another_cluster_has_is_left_to_it(
    store: Store,
    items: list[Planned],
    program: Callable[[str, str], None],
    heard: Any,
    act: Callable[..., Any],
) -> None:
    ledger, array, observer = Ledger(store), Array.new(1, "elsewhere"), heard()
    ledger.open(array, [items[0].cell])
    ledger.note(replace(array, job_id="17"))
    (found,) = act(items[:1], store, observer=observer, options=RunOptions(request=REQUEST))
    assert found.fit is None
    assert observer.put_offs == [
        "Slurm job 17 on cluster elsewhere has it: run this there, or cancel it there with --cancel"
    ]
    assert ledger.open_cells() == {items[0].cell.fit_id}


def test_a_missing_library_is_told_with_the_command_that_installs_it() -> None:
    with pytest.raises(ConfigError) as raised:
        Backend("slurm", "hashbench.nowhere", "no_such_library").run_cells()
    assert str(raised.value) == (
        "--backend slurm needs the library no_such_library, which is not installed; "
        "pip install 'hashbench[slurm]'"
    )


def test_a_machine_without_slurm_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match=r"no sbatch, .* here; run it on a login node"):
        BACKENDS["slurm"].run_cells()


def test_doctor_tells_what_keeps_cells_from_running(
    program: Callable[[str, str], None], tmp_path: Path
) -> None:
    program("sinfo", '[ "$1" = --version ] && echo slurm 22 || echo "cpu|up|2|1:00:00|(null)|9|4"')
    program("scontrol", f"{CONFIG}; echo MaxArraySize = 100")
    found = BACKENDS["slurm"].examine(tmp_path / "store")
    assert (
        "partition cpu: up, nodes 2, longest 1:00:00, cores 4, memory 9 MB, no GPUs" in found.facts
    )
    told = "\n".join(found.warnings)
    assert "no partition has GPUs" in told
    assert "MaxArraySize is 100" in told


def test_the_list_is_plain_json(store: Store, cell: Cell) -> None:
    ledger = Ledger(store)
    array = Array.new(1, "here")
    ledger.open(array, [cell])
    (file,) = (store.root / ".slurm" / "open").iterdir()
    assert json.loads(file.read_text())["array"] == array.name
    assert re.fullmatch(r"hashbench-[0-9a-f]{10}", array.name)


def test_the_warning_that_slurm_sends_to_a_whole_job_ends_no_worker(
    store: Store,
    planned: Callable[[], Planned],
    worker: Callable[[str], None],
    heard: Any,
) -> None:
    worker("os.kill(os.getpid(), signal.SIGUSR2)\nsys.exit(5)")
    (found,) = run_locally([planned()], store, observer=heard())
    assert found.fit is not None and found.fit.error is not None
    assert found.fit.error.message == "the worker ended with code 5"
