"""What is sent to the page: how much, and which files it may name."""

from __future__ import annotations

import json
import os
import shutil
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from hashbench.serve.refusal import Refusal
from hashbench.studio.serving.doors import inside

MOST_JSON: Final = 8 * 2**20
_AROUND: Final = 2**20  # headers and boundaries of a multipart body
_FREE: Final = 64 * 2**20  # left on the disk, for records
_UPLOADS: Final = 4  # times the largest upload: what the folder may hold in all
_DIGITS: Final = 15


async def read_body(headers: Headers, receive: Receive, *, most: int) -> bytes:
    """Read a whole body.

    Args:
        headers: The request's.
        receive: Where it comes from.
        most: Bytes that it may have.

    Raises:
        Refusal: 413 if it has more.
    """
    too_much = Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {most:,} bytes, more were sent"
    )
    if length(headers) > most:
        raise too_much
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise too_much
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def check_json(body: bytes, *, uploads: Path) -> None:
    """See that a request names no file but one that was sent before.

    Gradio copies a file that a request names to where it can be read; of a page that is mounted
    it does not ask where that file lies.

    Args:
        body: JSON.
        uploads: The folder of what was sent, resolved.

    Raises:
        Refusal: 400 if it is no JSON, 403 if a path is outside.
    """
    try:
        waiting: list[Any] = [json.loads(body)]
    except (ValueError, RecursionError):
        raise Refusal(HTTPStatus.BAD_REQUEST, "expected JSON, found something else") from None
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            path = value.get("path")
            if isinstance(path, str) and path and not inside(path, uploads):
                raise Refusal(HTTPStatus.FORBIDDEN, f"file {path[:200]!r}: was not uploaded here")


def check_room(headers: Headers, *, uploads: Path, most: int) -> None:
    """See whether an upload can be taken, before it is.

    Args:
        headers: The request's.
        uploads: Where it will lie.
        most: Bytes that it may have.

    Raises:
        Refusal: 413 if it is too large, 507 if the disk or the folder is full.
    """
    size = length(headers)
    if size > most + _AROUND:
        raise too_large(most)
    free = shutil.disk_usage(uploads).free
    if size + _FREE > free:
        raise disk_full(uploads, f"{free / 2**20:,.0f} MiB are free, {size / 2**20:,.0f} were sent")
    held = sum(
        os.lstat(Path(place) / name).st_size
        for place, _, names in os.walk(uploads)
        for name in names
        if (Path(place) / name).is_file()
    )
    if held + size > _UPLOADS * most:
        raise Refusal(
            HTTPStatus.INSUFFICIENT_STORAGE,
            f"uploads: {held / 2**30:.1f} GiB lie there already; they go after a day. Put the "
            f"images into a data root instead",
        )


def counted(receive: Receive, *, most: int) -> Receive:
    """Let a body through as far as it is not too large, whatever its header says.

    Args:
        receive: Where it comes from.
        most: Bytes that it may have.
    """
    seen = 0

    async def count() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most + _AROUND:
            raise too_large(most)
        return message

    return count


def length(headers: Headers) -> int:
    """The size that a request says its body has; 0 where it does not say.

    Raises:
        Refusal: 400 if that is no number.
    """
    said = headers.get("content-length", "0")
    if not said.isascii() or not said.isdigit() or len(said) > _DIGITS:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Content-Length: expected a number")
    return int(said)


def too_large(most: int) -> Refusal:
    """What is said of an upload that is too large.

    Args:
        most: Bytes that it may have.
    """
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"upload: more than {most / 2**20:,.0f} MiB; put the images into a data root instead",
    )


def disk_full(uploads: Path, why: str) -> Refusal:
    """What is said where an upload cannot be kept.

    Args:
        uploads: Where it would lie.
        why: What is the matter.
    """
    return Refusal(
        HTTPStatus.INSUFFICIENT_STORAGE,
        f"upload: the disk of {uploads.parent.parent.name} is full ({why}); nothing was lost, make "
        f"room and send it again",
    )
