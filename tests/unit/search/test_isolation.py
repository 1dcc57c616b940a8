"""A trial in a process of its own: told what it measured, or ended with the reason."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from hashbench.core.codes import Codes
from hashbench.search.isolation import SkippedError, resident_bytes, run_trial
from hashbench.search.latency import LatencyResult, Workload
from hashbench.search.recall import ExactAnswers
from hashbench.search.trial import TRIAL, Trial

GIBIBYTE = 2**30
LIMITS = {"max_build": 60.0, "max_memory": 4 * GIBIBYTE}


@pytest.fixture
def trial(tmp_path):
    """Return what writes a trial of an engine on 300 codes of 12 bits."""
    rng = np.random.default_rng(0)
    query, database = (Codes.from_outputs(rng.standard_normal((n, 12))) for n in (9, 300))
    exact = ExactAnswers(query, database)
    exact.prepare(5)
    arrays = {"query": query.packed, "database": database.packed, "exact": exact.distances}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)

    def write(engine, **params):
        workloads = (Workload(5, 1, 30, 9.0), Workload(3, 4, 1, 9.0))
        files = {name: tmp_path / f"{name}.npy" for name in arrays}
        made = Trial(engine=engine, params=params, threads=1, bits=12, workloads=workloads, **files)
        (tmp_path / "trial.json").write_bytes(TRIAL.dump_json(made))
        return tmp_path / "trial.json"

    return write


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Return what puts a script in the place of the trial's process."""

    def put(script):
        file = tmp_path / "stand_in.py"
        file.write_text(
            "import json, os, sys, time\n"
            "def say(**event): print(json.dumps(event), flush=True)\n"
            f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n" + script
        )
        command = (sys.executable, "-S", "-E", str(file))
        monkeypatch.setattr("hashbench.search.isolation.COMMAND", command)
        return tmp_path / "pid"

    return put


def ended(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_every_setting_is_measured_with_its_recall(trial):
    results = [LatencyResult(**fields) for fields in run_trial(trial("faiss_ivf"), **LIMITS)]
    assert [(each.k, each.batch, each.samples) for each in results] == [(5, 1, 30), (3, 4, 1)]
    assert all(each.recall_queries == 9 and each.recall > 0.5 for each in results)
    assert results[0].facts == {"nlist": 17, "nprobe": 8}


def test_an_engine_that_refuses_says_so(trial):
    with pytest.raises(SkippedError, match="nlist 301 is more than the 300 codes"):
        list(run_trial(trial("faiss_ivf", nlist=301), **LIMITS))


def test_an_index_that_takes_too_long_is_given_up(stand_in):
    pid = stand_in("say(event='building'); time.sleep(60)")
    with pytest.raises(SkippedError, match=r"^building took longer than 0.2 s$"):
        list(run_trial(Path("x"), max_build=0.2, max_memory=GIBIBYTE))
    assert ended(pid)


def test_only_building_counts_towards_the_limit(stand_in):
    stand_in(
        "say(event='building'); say(event='built'); time.sleep(0.5)\n"
        "say(event='measured', result={'k': 1})"
    )
    assert list(run_trial(Path("x"), max_build=0.3, max_memory=GIBIBYTE)) == [{"k": 1}]


def test_an_index_that_takes_too_much_memory_is_given_up(stand_in):
    pid = stand_in("say(event='building'); held = b'x' * 200_000_000; time.sleep(60)")
    with pytest.raises(SkippedError, match=r"^its process took more than 0.0976562 GiB"):
        list(run_trial(Path("x"), max_build=60, max_memory=100 * 2**20))
    assert ended(pid)


def test_what_was_measured_before_it_failed_is_told(stand_in):
    stand_in("say(event='measured', result={'k': 1}); say(event='failed', why='no more')")
    results = run_trial(Path("x"), **LIMITS)
    assert next(results) == {"k": 1}
    with pytest.raises(SkippedError, match="no more"):
        next(results)


def test_a_process_that_dies_is_told(stand_in):
    stand_in("os.kill(os.getpid(), 11)")
    with pytest.raises(SkippedError, match="ended with code -11"):
        list(run_trial(Path("x"), **LIMITS))


def test_memory_is_that_of_the_process():
    before = resident_bytes(os.getpid())
    held = np.ones(50_000_000, dtype=np.uint8)
    assert resident_bytes(os.getpid()) - before > 40_000_000
    assert held.all()
    assert resident_bytes(2**22 + 1) == 0


def test_what_a_trial_leaves_in_the_temporary_folder_goes_with_its_own(trial, stand_in, tmp_path):
    stand_in("import tempfile; say(event='measured', result={'place': tempfile.mkdtemp()})")
    (result,) = run_trial(trial("exact"), **LIMITS)
    assert Path(result["place"]).parent == tmp_path
