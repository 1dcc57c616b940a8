"""What somebody tries who can send requests to the studio, and gets nothing."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from hashbench.store.store import Store

from .conftest import COMMAND, PATIENCE, Start, Studio

pytestmark = pytest.mark.thorough

SECRET = "the-secret-of-the-owner"
PASSWORD = "correct horse battery"
PATHS = (
    "{file}",
    "/..{file}",
    "/../../../../../../..{file}",
    "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{file}",
    "/gradio_api/file={file}",
    "/gradio_api/file={encoded}",
    "/gradio_api/file={twice}",
    "/gradio_api/file%3D{encoded}",
    "/gradio_api/file=file://{file}",
    "/gradio_api/file={uploads}/../../..{file}",
    "/gradio_api/file={uploads}/../../secret.txt",
    "/gradio_api/file={uploads}/..%2F..%2Fsecret.txt",
    "/gradio_api/file={uploads}/link.txt",
    "/gradio_api/file={uploads}/folder-link/secret.txt",
    "/gradio_api/file={uploads}",
    "/gradio_api/file=secret.txt",
    "/gradio_api/file={file}%00.png",
    "/gradio_api/file={store}/.work/serve.token",
    "/gradio_api/file=http://127.0.0.1:{port}/config",
    "/gradio_api/file/{file}",
    "/gradio_api/proxy={file}",
    "/gradio_api/proxy=http://127.0.0.1:{port}/config",
    "/gradio_api/proxy=https://huggingface.co/",
    "/gradio_api/custom_component/x/client/../..{file}",
    "/gradio_api/stream/a/b/c/playlist.m3u8",
    "/gradio_api/run-history/buckets",
    "/gradio_api/vibe-code",
    "/gradio_api/openapi.json",
    "/gradio_api/deep_link?session_hash=x",
    "/static/..{file}",
    "/static/../../../../../../../../../../..{file}",
    "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e{encoded}",
    "/static/{encoded}",
    "/static//{file}",
    "/assets/..%5C..%5Csecret.txt",
    "/assets/../../routes.py",
    "/svelte/../../../routes.py",
    "/monitoring/summary",
    "/docs",
    "/openapi.json",
)


@pytest.fixture(scope="module")
def studio(start: Start) -> Studio:
    found = start()
    (found.store / "secret.txt").write_text(SECRET)
    token = found.store / ".work" / "serve.token"
    token.write_text(SECRET)
    uploads = found.store / ".work" / "studio-uploads"
    (uploads / "link.txt").symlink_to(found.store / "secret.txt")
    (uploads / "folder-link").symlink_to(found.store)
    return found


def ask(
    studio: Studio,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """Send a path as it is, which no well-behaved client does."""
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=PATIENCE)
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def upload(
    studio: Studio, *files: tuple[str, bytes], headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    parts = b"".join(
        b'--edge\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
        % (name.encode(), content)
        for name, content in files
    )
    said = {"Content-Type": "multipart/form-data; boundary=edge", **(headers or {})}
    status, answer, _ = ask(studio, "POST", "/gradio_api/upload", parts + b"--edge--\r\n", said)
    return status, answer


def join(studio: Studio, data: Any) -> tuple[int, bytes]:
    request = {"data": data, "fn_index": 0, "session_hash": "an-attacker"}
    status, answer, _ = ask(
        studio,
        "POST",
        "/gradio_api/queue/join",
        json.dumps(request).encode(),
        {"Content-Type": "application/json"},
    )
    return status, answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("file", ["/etc/passwd", "{store}/secret.txt"])
def test_no_path_reads_a_file_that_was_not_uploaded(studio: Studio, path: str, file: str) -> None:
    file = file.format(store=studio.store)
    names = {
        "file": file,
        "encoded": quote(file, safe=""),
        "twice": quote(quote(file, safe=""), safe=""),
        "uploads": studio.store / ".work" / "studio-uploads",
        "store": studio.store,
        "port": studio.port,
    }
    for method in ("GET", "HEAD"):
        status, answer, _ = ask(studio, method, path.format(**names))
        assert status in {404, 400}, answer
        assert SECRET.encode() not in answer
        assert b"root:" not in answer


def test_an_uploaded_file_comes_back_as_what_was_sent_and_runs_nothing(studio: Studio) -> None:
    page = b"<script>alert(1)</script>"
    status, answer = upload(studio, ("../../../evil.html", page))
    assert status == 200, answer
    (place,) = json.loads(answer)
    assert Path(place).is_relative_to(studio.store / ".work" / "studio-uploads")
    status, content, headers = ask(studio, "GET", f"/gradio_api/file={place}")
    assert (status, content) == (200, page)
    assert headers["content-disposition"].startswith("attachment")
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "file",
    [
        {"path": "/etc/passwd"},
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": "{store}/secret.txt", "meta": {"_type": "gradio.FileData"}},
        {"path": "{store}/.work/studio-uploads/link.txt", "meta": {"_type": "gradio.FileData"}},
        {"path": "{store}/.work/studio-uploads/../../secret.txt"},
        {"path": "http://127.0.0.1:{port}/config", "meta": {"_type": "gradio.FileData"}},
        {"path": "secret.txt"},
        {"path": "\0"},
    ],
)
@pytest.mark.parametrize("wrapped", [lambda each: each, lambda each: [{"image": each}]])
def test_no_request_names_a_file_that_was_not_uploaded(
    studio: Studio, file: dict[str, Any], wrapped: Any
) -> None:
    path = file["path"].format(store=studio.store, port=studio.port)
    status, answer = join(studio, [wrapped({**file, "path": path})])
    assert (status, b"was not uploaded here" in answer) == (403, True)
    status, _, _ = ask(
        studio,
        "POST",
        "/gradio_api/component_server",
        json.dumps({"data": "/", "component_id": 1, "fn_name": "ls"}).encode(),
    )
    assert status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"a=b"])
def test_what_is_no_json_is_refused(studio: Studio, body: bytes) -> None:
    status, answer, _ = ask(studio, "POST", "/gradio_api/queue/join", body)
    assert (status, answer) == (400, b"expected JSON, found something else\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost@evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_and_names_that_were_made_to_lead_here_get_nothing(
    studio: Studio, headers: dict[str, str]
) -> None:
    for method, path in (("GET", "/config"), ("POST", "/gradio_api/queue/join")):
        status, answer, said = ask(studio, method, path, b"{}", headers)
        assert status == 403, answer
        assert "access-control-allow-origin" not in {name.lower() for name in said}
    assert upload(studio, ("a.png", b"x"), headers=headers)[0] == 403


def test_the_page_may_be_opened_from_a_link_elsewhere_but_not_shown_in_a_frame(
    studio: Studio,
) -> None:
    status, _, headers = ask(studio, "GET", "/", headers={"Sec-Fetch-Site": "cross-site"})
    assert status == 200
    assert headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]
    assert "http" not in policy


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_verbs_are_refused(studio: Studio, method: str) -> None:
    assert ask(studio, method, "/gradio_api/upload")[0] == 405


def test_what_a_client_says_of_its_address_changes_no_link_of_the_page(studio: Studio) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    status, answer, _ = ask(studio, "GET", "/config", headers=forged)
    assert status == 200
    assert b"evil.example" not in answer


def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(studio: Studio) -> None:
    length = {
        "Content-Type": "multipart/form-data; boundary=edge",
        "Content-Length": str(3 * 2**30),
    }
    status, answer, _ = ask(studio, "POST", "/gradio_api/upload", b"--edge", length)
    assert (status, answer[:25]) == (413, b"upload: more than 2,048 M")


def test_more_files_at_once_than_allowed_are_refused(studio: Studio) -> None:
    status, answer = upload(studio, *((f"{n}.txt", b"") for n in range(1001)))
    assert (status, b"Too many files" in answer) == (400, True)


def test_a_body_that_is_no_upload_is_refused(studio: Studio) -> None:
    status, _, _ = ask(studio, "POST", "/gradio_api/upload", b"x", {"Content-Type": "text/plain"})
    assert status == 400


def test_a_full_disk_is_said_and_the_page_stays(start: Start) -> None:
    small = start(file_limit=200_000)
    status, answer = upload(small, ("large.zip", os.urandom(400_000)))
    assert status == 507, answer
    assert b"File too large" in answer
    assert b"make room and send it again" in answer
    assert upload(small, ("small.zip", b"x" * 1000))[0] == 200
    assert ask(small, "GET", "/config")[0] == 200


def log_in(studio: Studio, password: str) -> tuple[int, bytes, dict[str, str]]:
    form = urlencode({"password": password}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return ask(studio, "POST", "/login", form, kind)


def test_a_password_stands_before_everything_and_is_guessed_slowly(start: Start) -> None:
    closed = start("--host", "0.0.0.0", password=PASSWORD)
    for path in ("/config", "/theme.css", "/gradio_api/info", "/assets/x.js", "/nothing"):
        assert ask(closed, "GET", path)[0] == 401
    assert join(closed, [])[0] == 401
    assert upload(closed, ("a.png", b"x"))[0] == 401
    status, _, headers = ask(closed, "GET", "/")
    assert (status, headers["location"]) == (303, "/login")
    status, page, _ = ask(closed, "GET", "/login")
    assert (status, b'type="password"' in page) == (200, True)

    status, _, headers = log_in(closed, PASSWORD)
    cookie = headers["set-cookie"]
    assert status == 303
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    key = {"Cookie": cookie.partition(";")[0]}
    assert ask(closed, "GET", "/config", headers=key)[0] == 200
    assert ask(closed, "GET", "/config", headers={"Cookie": f"{key['Cookie']}x"})[0] == 401

    guesses = [log_in(closed, f"guess {number}")[0] for number in range(6)]
    assert guesses == [401] * 5 + [429]
    assert log_in(closed, PASSWORD)[0] == 429, "a wrong guess must not be told from a right one"
    assert ask(closed, "GET", "/config", headers=key)[0] == 200, "who is in stays in"


def test_other_addresses_without_a_password_are_refused(tmp_path: Path) -> None:
    done = run_to_its_end(tmp_path, "--host", "0.0.0.0", "--port", "0")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "password" in done.stderr


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_to_its_end(tmp_path, "--port", str(taken.getsockname()[1]))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "Address already in use" in done.stderr
    assert "name another port" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    (tmp_path / "store" / ".work").write_text("in the way")
    done = run_to_its_end(tmp_path, "--port", "0")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith("error: cannot write ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quickly_and_cleanly_with_a_page_open(start: Start, number: int) -> None:
    found = start()
    with socket.create_connection(("127.0.0.1", found.port)) as page:
        page.sendall(b"GET /gradio_api/heartbeat/one HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert page.recv(100).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert found.end(number) == 0
        assert time.monotonic() - began < PATIENCE / 2
    assert [line for line in found.log if "Traceback" in line] == []


def run_to_its_end(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "studio", "store", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
