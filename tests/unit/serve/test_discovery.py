"""Where a store is served is said while it is, and at no other time."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError, StoreError
from hashbench.serve.client import AnswerError, Client
from hashbench.serve.discovery import claim, find_server, new_token
from hashbench.serve.server import Server

STARTED = "2026-01-01T00:00:00+00:00"
KILLED = """\
import os, sys
from pathlib import Path
from hashbench.serve.discovery import claim
root = Path(sys.argv[1])
with claim(root) as held:
    held.announce(port=1234, started="then", token="secret")
    os._exit(9)
"""


def test_a_served_store_says_where_and_by_whom(tmp_path: Path) -> None:
    with claim(tmp_path) as held:
        made = held.announce(port=4321, started=STARTED, token=None)
        found = find_server(tmp_path)
        written = json.loads((tmp_path / ".work" / "serve.json").read_text())
    assert found == made
    assert (found.url, found.pid, found.token()) == ("http://127.0.0.1:4321", os.getpid(), None)
    assert (written["port"], written["pid"], written["started"]) == (4321, os.getpid(), STARTED)


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    with claim(tmp_path) as held:
        held.announce(port=1, started=STARTED, token="secret")
    assert find_server(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_what_others_have_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / ".work" / "cell").mkdir(parents=True)
    with claim(tmp_path) as held:
        held.announce(port=1, started=STARTED, token=None)
    assert [path.name for path in (tmp_path / ".work").iterdir()] == ["cell"]


def test_a_token_is_for_the_owners_eyes_only(tmp_path: Path) -> None:
    token = new_token()
    assert len(token) >= 32 and token != new_token()
    with claim(tmp_path) as held:
        made = held.announce(port=1, started=STARTED, token=token)
        assert made.token() == token
        assert made.token_file is not None
        assert stat.S_IMODE(Path(made.token_file).stat().st_mode) == 0o600
        assert token not in (tmp_path / ".work" / "serve.json").read_text()


def test_a_store_is_served_once(tmp_path: Path) -> None:
    with claim(tmp_path) as held:
        held.announce(port=4321, started=STARTED, token=None)
        with pytest.raises(ConfigError, match=f"process {os.getpid()} at http://127.0.0.1:4321"):
            claim(tmp_path).__enter__()
        assert find_server(tmp_path) is not None
    with claim(tmp_path):
        pass


def test_what_a_killed_worker_left_is_stale_and_replaced(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert (tmp_path / ".work" / "serve.json").exists()

    assert find_server(tmp_path) is None
    with pytest.raises(ConfigError, match="is not served; start hashbench serve"):
        Client.of_store(tmp_path)
    with claim(tmp_path) as held:
        assert (tmp_path / ".work" / "serve.json").exists()
        assert find_server(tmp_path) is None  # nor is it taken for what its successor says
        made = held.announce(port=99, started=STARTED, token=None)
        assert find_server(tmp_path) == made


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"port": 1, "what": 2}', "[" * 9999])
def test_an_announcement_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    with claim(tmp_path) as held:
        held.announce(port=1, started=STARTED, token=None)
        (tmp_path / ".work" / "serve.json").write_text(text)
        assert find_server(tmp_path) is None


def test_a_worker_of_another_machine_is_not_ours(tmp_path: Path) -> None:
    with claim(tmp_path) as held:
        held.announce(port=1, started=STARTED, token=None)
        path = tmp_path / ".work" / "serve.json"
        path.write_text(path.read_text().replace(socket.gethostname(), "elsewhere"))
        assert find_server(tmp_path) is None


def test_a_store_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".work").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot write") as told, claim(tmp_path):
        pass
    assert len(str(told.value).splitlines()) == 1


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: Address already in use"):
            Server(port, lambda request: None)


def test_a_client_of_a_worker_that_is_gone_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(AnswerError, match=f"no answer on port {port}") as told:
        Client(port).get("health")
    assert told.value.status == 503
