"""What may be sent to the studio, and where it is kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
from collections import namedtuple
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from hashbench.core.errors import StoreError
from hashbench.serve.refusal import Refusal
from hashbench.studio.serving.bodies import check_json, check_room, counted, read_body
from hashbench.studio.serving.policy import page_policy
from hashbench.studio.serving.surroundings import forget_old, keep_to_itself, make_uploads

MIB = 2**20
DAY = 24 * 3600.0
Usage = namedtuple("Usage", ["total", "used", "free"])


def sending(parts: Iterable[bytes]) -> Callable[[], Awaitable[Message]]:
    waiting = list(parts)

    async def receive() -> Message:
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    return receive


def of_size(size: int | str) -> Headers:
    return Headers({"content-length": str(size)})


def read(parts: list[bytes], *, most: int, said: Headers | None = None) -> bytes:
    return asyncio.run(read_body(said or Headers({}), sending(parts), most=most))


def test_a_body_in_parts_is_read_whole() -> None:
    assert read([b"ab", b"", b"cd"], most=4) == b"abcd"


@pytest.mark.parametrize("said", [None, of_size(5), of_size(1)])
def test_a_body_that_is_too_large_is_refused_whatever_its_header_says(
    said: Headers | None,
) -> None:
    with pytest.raises(Refusal, match="at most 4 bytes"):
        read([b"ab", b"cde"], most=4, said=said)


@pytest.mark.parametrize("said", ["-1", "x", "1e3", "", "9" * 30, "\u0663"])
def test_a_length_that_is_no_number_is_refused(said: str) -> None:
    headers = Headers(raw=[(b"content-length", said.encode())])
    with pytest.raises(Refusal, match="Content-Length"):
        read([b""], most=4, said=headers)


def test_an_upload_without_a_length_is_counted() -> None:
    async def drain() -> None:
        receive = counted(sending([bytes(MIB)] * 5), most=2 * MIB)
        for _ in range(5):
            await receive()

    with pytest.raises(Refusal, match="more than 2 MiB") as refused:
        asyncio.run(drain())
    assert refused.value.status == 413


def test_an_upload_that_the_disk_has_no_room_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 100 * MIB))
    check_room(of_size(30 * MIB), uploads=tmp_path, most=50 * MIB)
    with pytest.raises(Refusal, match="100 MiB are free, 40 were sent") as refused:
        check_room(of_size(40 * MIB), uploads=tmp_path, most=50 * MIB)
    assert refused.value.status == 507


def test_the_folder_for_uploads_does_not_grow_without_end(tmp_path: Path) -> None:
    for number in range(4):
        os.truncate(os.open(tmp_path / str(number), os.O_CREAT | os.O_WRONLY), MIB)
    with pytest.raises(Refusal, match="lie there already"):
        check_room(of_size(1), uploads=tmp_path, most=MIB)


def test_a_request_may_name_what_was_uploaded_and_no_other_file(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (uploads / "a.png").write_bytes(b"x")
    (tmp_path / "b.png").write_bytes(b"x")
    (uploads / "link.png").symlink_to(tmp_path / "b.png")

    def ask(value: Any) -> None:
        check_json(json.dumps({"data": [1, [{"image": value}]]}).encode(), uploads=uploads)

    ask({"path": str(uploads / "a.png")})
    ask({"path": "", "url": None})
    ask({"path": None})
    for path in ("b.png", "uploads", "uploads/link.png", "uploads/../b.png", "uploads/none"):
        with pytest.raises(Refusal) as refused:
            ask({"path": str(tmp_path / path)})
        assert refused.value.status == 403


def test_uploads_are_for_the_owner_alone_and_go_after_a_day(tmp_path: Path) -> None:
    folder = make_uploads(tmp_path)
    assert folder.stat().st_mode & 0o077 == 0
    (folder / "new").mkdir()
    (folder / "old").mkdir()
    (folder / "old" / "photo.png").write_bytes(b"x")
    (folder / "file").write_bytes(b"x")
    (tmp_path / "kept").mkdir()
    (folder / "link").symlink_to(tmp_path / "kept")
    moment = folder.stat().st_mtime
    os.utime(folder / "new", (moment + DAY, moment + DAY))
    forget_old(folder, now=moment + DAY + 60)
    assert [entry.name for entry in folder.iterdir()] == ["new"]
    assert (tmp_path / "kept").is_dir()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".work").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot write .*studio-uploads"):
        make_uploads(tmp_path)


def test_no_switch_of_the_shell_reaches_gradio(tmp_path: Path) -> None:
    environment = {
        "GRADIO_SHARE": "True",
        "GRADIO_ALLOWED_PATHS": "/",
        "GRADIO_ANALYTICS_ENABLED": "True",
        "HF_HOME": "weights",
    }
    keep_to_itself(tmp_path, environment)
    assert environment["GRADIO_TEMP_DIR"] == str(tmp_path)
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environment["HF_HOME"] == "weights", "trainings look for weights there"
    assert not {"GRADIO_SHARE", "GRADIO_ALLOWED_PATHS"} & set(environment)


def test_a_page_runs_the_scripts_that_are_written_in_it_and_no_other() -> None:
    script = b"\n let a = '<b>';\n"
    page = b"<script type='module' src='/x.js'></script><script data-x>" + script + b"</script>"
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert f"script-src 'self' 'unsafe-eval' 'sha256-{digest}';" in page_policy(page)
