"""A link finds the worker of a store, or starts one; a dead one is replaced."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hashbench.core.errors import StoreError
from hashbench.serve.client import AnswerError, Client, NoAnswerError
from hashbench.serve.discovery import (
    announcement_file,
    claim,
    find_server,
    is_claimed,
)
from hashbench.studio import worker_link
from hashbench.studio.context import StudioContext
from hashbench.studio.jobs import jobs
from hashbench.studio.worker_link import WorkerLink

# A worker without models: it is announced as a real one is, and says who it is.
WORKER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from hashbench.serve.discovery import claim

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        said = json.dumps({"pid": os.getpid(), "words": sys.argv[1:]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

root = Path(sys.argv[2])
with claim(root) as held:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    held.announce(port=server.server_port, started="", token=None)
    server.serve_forever()
"""


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAIN", WORKER)


@pytest.fixture
def link(context: StudioContext) -> Iterator[WorkerLink]:
    made = WorkerLink(context)
    yield made
    made.close()


def pid(client: Client) -> int:
    return int(client.get("health")["pid"])


def kill(number: int, root: Path) -> None:
    os.kill(number, signal.SIGKILL)
    until = time.monotonic() + 20
    while find_server(root) is not None and time.monotonic() < until:
        time.sleep(0.01)


def test_a_worker_is_started_once_and_asked_again(link: WorkerLink, context: StudioContext) -> None:
    with ThreadPoolExecutor(4) as pool:
        pids = set(pool.map(lambda _: link.ask(pid), range(8)))
    assert len(pids) == 1
    words = link.ask(lambda client: client.get("health"))["words"]
    assert words == list(link.command[1:])
    assert words[:3] == ["serve", str(context.store), "--token"]
    assert words[words.index("--data-root") + 1] == str(context.data_root)
    other = WorkerLink(context)
    assert {other.ask(pid)} == pids
    other.close()  # it did not start it
    assert link.ask(pid) in pids


def test_a_worker_that_died_is_replaced(link: WorkerLink, context: StudioContext) -> None:
    first = link.ask(pid)
    kill(first, context.store)
    second = link.ask(pid)
    assert second != first


def test_a_worker_that_dies_while_it_is_asked_is_replaced_and_asked_once_more(
    link: WorkerLink, context: StudioContext
) -> None:
    asked: list[int] = []

    def question(client: Client) -> int:
        asked.append(pid(client))
        if len(asked) == 1:
            kill(asked[0], context.store)
        return pid(client)

    answer = link.ask(question)
    assert asked == [asked[0], answer]


def test_a_worker_that_is_alive_and_refuses_is_asked_only_once(link: WorkerLink) -> None:
    times = []

    def refuse(error: AnswerError) -> None:
        def question(client: Client) -> None:
            times.append(client)
            raise error

        with pytest.raises(type(error)):
            link.ask(question)

    refuse(AnswerError(404, "there is none"))
    refuse(NoAnswerError(1, "timed out"))
    assert len(times) == 2


def test_what_a_killed_worker_announced_is_not_taken_for_the_one_that_takes_its_place(
    link: WorkerLink, context: StudioContext
) -> None:
    kill(link.ask(pid), context.store)
    assert announcement_file(context.store).is_file()
    with claim(context.store):
        assert is_claimed(context.store)
        assert find_server(context.store) is None
    assert not is_claimed(context.store)


def test_a_worker_that_another_process_is_starting_is_waited_for(
    link: WorkerLink, context: StudioContext
) -> None:
    def slowly() -> None:
        time.sleep(0.5)
        held.announce(port=1, started="", token=None)

    with claim(context.store) as held:
        starting = threading.Thread(target=slowly)
        starting.start()
        with pytest.raises(NoAnswerError, match="no answer on port 1 "):
            link.ask(pid)
        starting.join()


def test_a_worker_ends_with_the_page_that_started_it(
    link: WorkerLink, context: StudioContext
) -> None:
    link.ask(pid)
    link.close()
    assert find_server(context.store) is None


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import sys; sys.exit('error: serve: no room')", "did not start: serve: no room"),
        ("pass", "did not start: it said nothing"),
    ],
)
def test_why_a_worker_did_not_start_is_told_in_one_line(
    link: WorkerLink, monkeypatch: pytest.MonkeyPatch, program: str, why: str
) -> None:
    monkeypatch.setattr(jobs, "MAIN", program)
    with pytest.raises(StoreError, match=why) as told:
        link.ask(pid)
    assert "\n" not in str(told.value)


def test_a_worker_that_never_comes_up_is_ended(
    link: WorkerLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAIN", "import time; time.sleep(600)")
    monkeypatch.setattr(worker_link, "_START_SECONDS", 0.2)
    with pytest.raises(StoreError, match=r"did not start within 0\.2 s"):
        link.ask(pid)
    assert link._started is not None and link._started.poll() is not None


def test_a_store_that_cannot_be_written_is_told(
    context: StudioContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    (context.store / ".work").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"search: cannot write .*serve.log"):
        WorkerLink(context).ask(pid)
