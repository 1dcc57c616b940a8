"""Jobs outlive whoever started them, and say how they ended; all of it with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.studio.jobs import jobs
from hashbench.studio.jobs.job_files import EXIT, End, JobFiles
from hashbench.studio.jobs.jobs import Job, JobState
from hashbench.studio.jobs.process_identity import ProcessIdentity

PATIENCE = 60.0


def started(folder: Path, script: str, *, kind: str = "run", queue: bool = False) -> Job:
    words = ("hashbench", kind, "it's here")
    program = ("/bin/sh", "-c", script)
    return jobs.start(folder, kind, "a job", argv=lambda _: words, queue=queue, program=program)


def until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def over(folder: Path, job: Job) -> Job:
    until(lambda: jobs.find(folder, job.id).state.over)
    return jobs.find(folder, job.id)


def killed(job: Job) -> None:
    identity = JobFiles(job.folder).identity()
    assert identity is not None
    os.killpg(identity.pid, signal.SIGKILL)
    until(lambda: not identity.alive)


def test_a_job_leaves_its_command_its_output_and_its_exit_code(tmp_path: Path) -> None:
    job = over(tmp_path, started(tmp_path, "echo first; echo last >&2"))

    assert (job.state, job.message) == (JobState.DONE, "last")
    assert job.tail() == "first\nlast\n"
    assert json.loads((job.folder / EXIT).read_bytes())["code"] == 0
    assert job.command_line == """hashbench run 'it'"'"'s here'"""


def test_what_a_command_calls_an_error_is_the_message(tmp_path: Path) -> None:
    script = "echo noise; echo 'error: labels.csv:3: expected 2 cells, found 1'; exit 2"
    job = over(tmp_path, started(tmp_path, script))

    assert job.state is JobState.FAILED
    assert job.message == "labels.csv:3: expected 2 cells, found 1"


def test_a_job_goes_on_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from hashbench.studio.jobs import jobs\n"
        "jobs.start(Path(sys.argv[1]), 'run', 't', argv=lambda _: ['hashbench'],"
        " program=['/bin/sh', '-c', 'sleep 0.3; echo finished'])"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=PATIENCE)
    (job,) = jobs.read_all(tmp_path)

    assert over(tmp_path, job).message == "finished"


def test_stop_asks_the_whole_group_and_the_command_may_tidy_up(tmp_path: Path) -> None:
    script = "trap 'echo tidied; exit 130' TERM; echo ready; while true; do sleep 0.05; done"
    job = started(tmp_path, script)
    until(lambda: "ready" in job.tail())
    jobs.stop(tmp_path, job.id)
    ended = over(tmp_path, job)

    assert ended.state is JobState.STOPPED
    assert "Resume goes on" in ended.message
    assert ended.tail().endswith("tidied\n")


def test_a_killed_command_is_told_from_one_that_failed(tmp_path: Path) -> None:
    ended = over(tmp_path, started(tmp_path, "kill -9 $$"))

    assert ended.state is JobState.KILLED
    assert ended.message.startswith("killed by SIGKILL, perhaps because memory ran out")


def test_a_job_that_was_killed_with_its_supervisor_is_over(tmp_path: Path) -> None:
    job = started(tmp_path, "sleep 60")
    killed(job)
    ended = jobs.find(tmp_path, job.id)

    assert (ended.state, ended.end) == (JobState.KILLED, None)
    assert "killed from outside" in ended.message


def test_a_number_that_was_given_to_another_process_is_not_the_job(tmp_path: Path) -> None:
    own = ProcessIdentity.own()

    assert own.alive
    assert not replace(own, start=own.start + 1).alive
    assert not replace(own, boot="another start of the machine").alive
    assert replace(own, host="another machine").alive  # nothing is known of it


def test_runs_that_wait_for_each_other_run_one_after_another(tmp_path: Path) -> None:
    first = started(tmp_path, "sleep 0.5; date +%s%N", queue=True)
    second = started(tmp_path, "date +%s%N", queue=True)
    beside = over(tmp_path, started(tmp_path, "date +%s%N"))
    waiting = jobs.find(tmp_path, second.id).state
    times = [int(over(tmp_path, job).tail()) for job in (first, second)]

    assert waiting is JobState.QUEUED or times[1] < int(beside.tail())
    assert times == sorted(times)


def test_a_waiting_job_can_be_stopped_and_does_nothing(tmp_path: Path) -> None:
    first = started(tmp_path, "sleep 60", queue=True)
    second = started(tmp_path, "echo done", queue=True)
    jobs.stop(tmp_path, second.id)
    ended = over(tmp_path, second)
    killed(first)

    assert (ended.state, ended.began, ended.tail()) == (JobState.STOPPED, None, "")


def test_a_killed_job_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    first = started(tmp_path, "sleep 60", queue=True)
    second = started(tmp_path, "echo done", queue=True)
    killed(first)

    assert over(tmp_path, second).message == "done"


def test_resuming_goes_on_in_the_same_folder_with_the_same_command(tmp_path: Path) -> None:
    job = over(tmp_path, started(tmp_path, "exit 3"))
    resumed = jobs.resume(tmp_path, job.id)
    again = over(tmp_path, resumed)

    assert job.message == "some cells failed"
    assert (resumed.folder, again.command) == (job.folder, job.command)


def test_what_a_job_said_before_it_was_resumed_is_kept(tmp_path: Path) -> None:
    job = over(tmp_path, started(tmp_path, "echo said"))
    again = over(tmp_path, jobs.resume(tmp_path, job.id))

    assert again.tail() == "said\nsaid\n"


def test_a_full_disk_is_told_though_the_log_could_not_be_written(tmp_path: Path) -> None:
    def prepare(folder: Path) -> list[str]:
        (folder / "log").symlink_to("/dev/full")
        return ["hashbench"]

    program = ["/bin/sh", "-c", "echo words; exit 2"]
    ended = over(tmp_path, jobs.start(tmp_path, "run", "t", argv=prepare, program=program))

    assert ended.state is JobState.FAILED
    assert ended.message.startswith("the disk is full (its log); make room")


def test_a_full_disk_that_the_command_met_is_told_first(tmp_path: Path) -> None:
    script = (
        "echo 'error: cannot write x: No space left on device. What was written is kept'; exit 2"
    )
    ended = over(tmp_path, started(tmp_path, script))

    assert ended.message.startswith("the disk is full (error: cannot write x: No space left")


def test_an_end_fits_in_the_room_that_was_taken_for_it() -> None:
    end = End(2, "2026-01-01T00:00:00+00:00", said="\N{SNOWMAN}\x00\n" * 5000)

    data = end.as_bytes()

    assert len(data) == 4096
    assert json.loads(data)["code"] == 2


def test_a_job_gets_the_shells_variables_but_not_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASHBENCH_STUDIO_PASSWORD", "secret")
    monkeypatch.setenv("HF_HUB_OFFLINE", "set by the page")
    monkeypatch.setenv("HASHBENCH_DATA", "/data")
    job = over(tmp_path, started(tmp_path, "echo $HASHBENCH_DATA-$HASHBENCH_STUDIO_PASSWORD-"))

    assert job.message == "/data--"
    assert jobs.environment().get("HF_HUB_OFFLINE") != "set by the page"


def test_a_job_that_runs_is_neither_resumed_nor_removed(tmp_path: Path) -> None:
    job = started(tmp_path, "sleep 60")
    for action in (jobs.resume, jobs.remove):
        with pytest.raises(ConfigError, match="is running; stop it first"):
            action(tmp_path, job.id)
    killed(job)
    jobs.remove(tmp_path, job.id)

    assert jobs.read_all(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "", ".", "..", "/etc", "none"])
def test_only_the_names_of_jobs_are_looked_up(tmp_path: Path, name: str) -> None:
    (tmp_path / "jobs").mkdir()
    with pytest.raises(ConfigError, match="there is none"):
        jobs.find(tmp_path / "jobs", name)


def test_a_folder_that_cannot_be_prepared_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> list[str]:
        (folder / "half").write_text("x")
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        jobs.start(tmp_path, "run", "t", argv=fail)
    assert list(tmp_path.iterdir()) == []
