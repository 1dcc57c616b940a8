"""What cannot be answered: one line of JSON, the right status, and the worker goes on."""

from __future__ import annotations

import json
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from hashbench.serve import server as serving
from hashbench.serve.client import AnswerError, Client


def status_of(client: Client, verb: str, path: str, body: bytes = b"", **words: Any) -> int:
    with pytest.raises(AnswerError) as refused:
        client.raw(verb, path, body, **words)
    assert len(str(refused.value).splitlines()) == 1
    return refused.value.status


def said_to(port: int, data: bytes) -> tuple[int, str]:
    """Send raw bytes; return the status and the message of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["message"]


def port_of(client: Client) -> int:
    return client._port


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"no image at all", 415, id="text"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, id="a program"),
        pytest.param(b"GIF89a", 415, id="a magic number alone"),
        pytest.param(bomb(100_000, 100_000), 413, id="ten thousand million pixels"),
        pytest.param(bomb(10_000, 9_000), 413, id="90 million pixels"),
        pytest.param(bomb(600, 600), 422, id="pixels that are not there"),
        pytest.param(bytes(20 * 2**20 + 1), 413, id="more than 20 MiB"),
    ],
)
def test_what_is_no_image_is_refused(client: Client, kept: Any, body: bytes, status: int) -> None:
    assert status_of(client, "POST", f"methods/{kept.lsh.fit_id}/search", body) == status
    assert client.get("health")["status"] == "ok"


@pytest.mark.parametrize("cut", [9, 60, 90])
def test_an_image_that_ends_early_is_refused(client: Client, kept: Any, cut: int) -> None:
    body = kept.png(0)[:cut]
    status = status_of(client, "POST", f"methods/{kept.lsh.fit_id}/search", body)
    assert status in {415, 422}


@pytest.mark.parametrize(
    ("path", "words", "status"),
    [
        ("nothing", {}, 404),
        ("methods/ffffffffffffffff", {}, 404),
        ("methods/..", {}, 404),
        ("methods/{lsh}/search", {}, 400),
        ("methods/{lsh}/search", {"query": 0, "database": 0}, 400),
        ("methods/{lsh}/search", {"query": 20}, 404),
        ("methods/{lsh}/search", {"query": -1}, 400),
        ("methods/{lsh}/search", {"query": "1e3"}, 400),
        ("methods/{lsh}/search", {"query": "9" * 5000}, 400),
        ("methods/{lsh}/search", {"query": 0, "k": 0}, 400),
        ("methods/{lsh}/search", {"query": 0, "k": 1001}, 400),
        ("methods/{lsh}/search", {"query": 0, "engine": "exakt"}, 422),
        ("methods/{lsh}/search", {"quarry": 0}, 400),
        ("methods/{lsh}/thumbnails/query/20", {}, 404),
        ("methods/{lsh}/thumbnails/train/0", {}, 404),
        ("methods/{lsh}/thumbnails/query/../../../store.json", {}, 404),
        ("methods/{lsh}/thumbnails/query/0", {"side": 100000}, 400),
        ("compare", {"methods": "{lsh}", "query": 0}, 400),
        ("collections/none", {}, 404),
        ("collections/..%2f..", {}, 404),
    ],
)
def test_what_is_not_there_is_refused(
    client: Client, kept: Any, path: str, words: dict[str, Any], status: int
) -> None:
    there = path.replace("{lsh}", kept.lsh.fit_id)
    given = {key: str(value).replace("{lsh}", kept.lsh.fit_id) for key, value in words.items()}
    assert status_of(client, "GET", there, **given) == status


def test_misspelt_words_are_told_their_neighbours(client: Client, kept: Any) -> None:
    path = f"methods/{kept.lsh.fit_id}/search"
    with pytest.raises(AnswerError, match="Did you mean 'query'"):
        client.get(path, quarry=0)
    with pytest.raises(AnswerError, match="Did you mean 'exact'"):
        client.get(path, query=0, engine="exakt")


def test_a_verb_that_an_endpoint_has_not_is_refused(client: Client) -> None:
    assert status_of(client, "POST", "health") == 405
    assert status_of(client, "DELETE", "methods") == 405
    assert status_of(client, "PATCH", "methods") == 501


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_host_that_is_not_loopback_is_refused(client: Client, host: str) -> None:
    request = f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert said_to(port_of(client), request.encode())[0] == 403


@pytest.mark.parametrize("head", ["", "Host: localhost\r\nHost: localhost\r\n"])
def test_a_request_without_one_host_is_refused(client: Client, head: str) -> None:
    request = f"GET /v1/health HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
    assert said_to(port_of(client), request.encode())[0] == 400


def test_pages_of_other_sites_are_refused(client: Client) -> None:
    head = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
    status, why = said_to(port_of(client), f"{head}Origin: https://evil.example\r\n\r\n".encode())
    assert (status, "other sites" in why) == (403, True)


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET /" + "a" * 70000, "", 414),
        ("GET /v1/health", "A: b\r\n" * 200, 431),
        ("GET /v1/health", f"A: {'b' * 70000}\r\n", 431),
        ("GET /v1/health", "Content-Length: 5\r\n", 400),
        ("POST /v1/reload", "Content-Length: -5\r\n", 400),
        ("POST /v1/reload", "Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        ("POST /v1/reload", "Content-Length: 99999999999999999999\r\n", 413),
        ("POST /v1/reload", "Content-Length: 10\r\n", 400),
        ("POST /v1/reload", "Transfer-Encoding: chunked\r\n", 411),
        ("GET %ff", "", 400),
        ("GET /%ff", "", 400),
    ],
)
def test_malformed_requests_are_refused(
    client: Client, request_line: str, headers: str, status: int
) -> None:
    request = f"{request_line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
    assert said_to(port_of(client), request.encode())[0] == status
    assert client.get("health")["status"] == "ok"


def test_a_token_is_needed_for_everything_where_one_was_asked_for(
    kept: Any, served: Callable[..., AbstractContextManager[Client]]
) -> None:
    with served(kept.store, token="open-sesame") as client:
        assert client.get("health")["status"] == "ok"
        for wrong in (None, "open-sesam", "open-sesame-", "öpen"):
            stranger = Client(port_of(client), None)
            if wrong:
                stranger._headers["Authorization"] = f"Bearer {wrong}".encode()
            for path in ("health", "methods", "nothing", f"methods/{kept.lsh.fit_id}/queries"):
                assert status_of(stranger, "GET", path) == 401


def test_the_worker_listens_on_loopback_alone(
    kept: Any, served: Callable[..., AbstractContextManager[Client]]
) -> None:
    found = serving.Server(0, lambda request: None)
    assert found.socket.getsockname()[0] == "127.0.0.1"
    found.server_close()


def test_too_many_connections_are_told_so(
    client: Client,
    kept: Any,
    monkeypatch: pytest.MonkeyPatch,
    served: Callable[..., AbstractContextManager[Client]],
) -> None:
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 1)
    with (
        served(kept.store) as narrow,
        socket.create_connection(("127.0.0.1", port_of(narrow))) as idle,
    ):
        idle.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        assert status_of(narrow, "GET", "health") == 503


def test_nothing_is_offered_of_a_file_outside_the_dataset(client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    for path in (f"thumbnails/{secret}", f"..{secret}", f"methods/{secret}/queries"):
        assert status_of(client, "GET", path) == 404
