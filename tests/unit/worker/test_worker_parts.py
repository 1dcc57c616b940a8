"""Failures get their status, a lost parent ends the worker, learned codes replace encoded ones."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch

from hashbench.core.codes import Codes, Embeddings
from hashbench.core.errors import DamagedStoreError, DataError, ExitCode, StoreError
from hashbench.core.record import Status
from hashbench.methods.interface import DivergedError, EpochEvent
from hashbench.worker.building import resolve_device
from hashbench.worker.cell import classify
from hashbench.worker.events import Events
from hashbench.worker.fit import with_learned_codes

EPOCH = EpochEvent(1, 2, {"total": 0.5}, 1.0, 10)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("x"), Status.FAILED),
        (DataError("x"), Status.FAILED),
        (DivergedError("x"), Status.DIVERGED),
        (MemoryError(), Status.OOM),
        (torch.OutOfMemoryError("x"), Status.OOM),
    ],
)
def test_an_exception_has_its_status(error: Exception, status: Status) -> None:
    found, cause = classify(error)

    assert found is status
    assert (cause.type, cause.message) == (type(error).__name__, str(error))


def test_torch_running_out_of_main_memory_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**56, dtype=torch.uint8)

    assert classify(raised.value)[0] is Status.OOM


def test_only_surprises_bring_a_traceback() -> None:
    def fail(error: Exception) -> str:
        try:
            raise error
        except type(error) as raised:
            return classify(raised)[1].traceback

    assert "in fail" in fail(ValueError("x"))
    assert fail(DataError("x")) == ""


def test_events_are_lines_of_json() -> None:
    reading, writing = os.pipe()
    events = Events(writing)

    events.phase("fit")
    events.epoch(EPOCH)
    events.validation({"validation/map@all": 0.5})
    events.store_error(StoreError("full"))
    events.store_error(DamagedStoreError("torn"))

    lines = [json.loads(line) for line in os.read(reading, 65536).splitlines()]
    os.close(reading)
    os.close(writing)
    assert lines[0] == {"event": "phase", "phase": "fit"}
    assert lines[1]["epoch"] == 1 and lines[1]["terms"] == {"total": 0.5}
    assert lines[2] == {"event": "validation", "values": {"validation/map@all": 0.5}}
    assert [line["code"] for line in lines[3:]] == [ExitCode.USAGE, ExitCode.STORE_DAMAGED]


def test_a_worker_whose_parent_is_gone_ends_at_its_next_event() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with pytest.raises(SystemExit) as ended:
        Events(writing).epoch(EPOCH)

    os.close(writing)
    assert ended.value.code == ExitCode.INTERRUPTED


def test_without_a_parent_events_are_silent() -> None:
    Events(None).epoch(EPOCH)


def codes(*rows: int) -> Codes:
    return Codes(np.array(rows, dtype=np.uint8)[:, None], 8)


def test_learned_codes_replace_those_of_training_images_in_the_database() -> None:
    database, train = np.array([4, 9, 2, 7]), np.array([7, 1, 4])

    found = with_learned_codes(
        codes(10, 11, 12, 13), codes(20, 21, 22), database=database, train=train
    )

    assert found.packed[:, 0].tolist() == [22, 11, 12, 20]


@pytest.mark.parametrize(
    ("encoded", "learned"),
    [
        (codes(1, 2), codes(1)),
        (codes(1, 2), Codes(np.zeros((2, 1), np.uint8), 7)),
        (Embeddings(np.zeros((2, 3), np.float32)), codes(1, 2)),
    ],
)
def test_learned_codes_that_do_not_fit_are_refused(
    encoded: Codes | Embeddings, learned: Codes
) -> None:
    with pytest.raises(ValueError, match="expected one code a training image"):
        with_learned_codes(encoded, learned, database=np.arange(2), train=np.arange(2))


@pytest.mark.parametrize(("cuda", "kind"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_cuda_where_there_is_one(
    cuda: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)

    assert resolve_device("auto").type == kind
    assert resolve_device("cpu").type == "cpu"
