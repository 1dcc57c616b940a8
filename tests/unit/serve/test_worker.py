"""A worker from its start to its end, in this process."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hashbench.audit.store_files import sort_files
from hashbench.core.errors import ConfigError, StoreError
from hashbench.serve.client import AnswerError, Client
from hashbench.serve.discovery import Announcement, find_server
from hashbench.serve.service import Service
from hashbench.serve.worker import Settings, serve
from hashbench.store.store import Store


@pytest.fixture
def root(kept: Any, tmp_path: Path) -> Path:
    """Return the folder of a store of a test's own."""
    store = Store.create(tmp_path / "own")
    shutil.copytree(kept.store.root / kept.lsh.fit_id, store.root / kept.lsh.fit_id)
    return store.root


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_worker_that_answered_until_then(
    root: Path, kept: Any, number: signal.Signals
) -> None:
    told: list[tuple[Announcement, str | None]] = []
    before = signal.getsignal(number)

    def tell(made: Announcement, token: str | None) -> None:
        told.append((made, token))
        found = Client.of_store(root).get(f"methods/{kept.lsh.fit_id}/search", query=0, k=1)
        assert len(found["results"]) == 1
        os.kill(os.getpid(), number)

    assert serve(root, Settings(with_token=True), tell) is number

    ((made, token),) = told
    assert token and made.pid == os.getpid()
    assert find_server(root) is None
    assert not (root / ".work").exists()
    assert signal.getsignal(number) == before
    with pytest.raises(AnswerError, match="no answer"):
        Client(made.port, token).get("health")


def test_a_worker_that_nobody_asks_ends_by_itself_and_not_while_it_is_asked(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Service.health

    def slow(service: Service, request: Any) -> Any:
        time.sleep(0.3)
        return real(service, request)

    monkeypatch.setattr(Service, "health", slow)
    answers: list[Any] = []

    def tell(made: Announcement, token: str | None) -> None:
        answers.append(Client.of_store(root).get("health"))

    assert serve(root, Settings(idle=0.1), tell) is signal.SIGTERM
    assert answers[0]["status"] == "ok"
    assert find_server(root) is None


def test_a_request_that_runs_is_answered_before_the_end(
    root: Path, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, started, ended = Service.health, threading.Event(), threading.Event()
    answers: list[Any] = []

    def slow(service: Service, request: Any) -> Any:
        started.set()
        ended.wait(10)
        return real(service, request)

    def tell(made: Announcement, token: str | None) -> None:
        asking.start()
        assert started.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Timer(0.2, ended.set).start()

    monkeypatch.setattr(Service, "health", slow)
    asking = threading.Thread(target=lambda: answers.append(Client.of_store(root).get("health")))

    serve(root, Settings(), tell)

    asking.join()
    assert answers[0]["status"] == "ok"


def test_what_a_worker_writes_is_nothing_strange_to_the_audit(root: Path, kept: Any) -> None:
    def tell(made: Announcement, token: str | None) -> None:
        client = Client.of_store(root)
        client.post("collections", name="c", method=kept.lsh.fit_id)
        client.post("collections/c/images", kept.png(0))
        files = sort_files(root)
        assert (files.strange, files.work, files.temporary) == ([], [], [])
        names = {path.name for path in files.auxiliary}
        assert {"serve.json", "serve.token", "journal.txt", "0.png"} <= names
        os.kill(os.getpid(), signal.SIGTERM)

    serve(root, Settings(with_token=True), tell)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (Settings(engine="exakt"), "Did you mean 'exact'"),
        (Settings(plugins=(Path("gone.py"),)), "plugin gone.py: no such file"),
    ],
)
def test_what_cannot_be_served_is_told_before_anything_is_written(
    root: Path, settings: Settings, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        serve(root, settings, lambda made, token: None)
    assert not (root / ".work").exists()


def test_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        serve(tmp_path / "gone", Settings(), lambda made, token: None)
