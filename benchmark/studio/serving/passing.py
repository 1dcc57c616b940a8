"""Passing a request on to Gradio, each kind in its way, and its answer back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashbench.studio.serving.bodies import counted, disk_full
from hashbench.studio.serving.policy import NOTHING, headers_of, page_policy

# Gradio would let pages of other local ports read answers.
_DROPPED: Final = (
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "server",
)


async def pass_reading(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, ending: asyncio.Event
) -> None:
    """A file, or a stream of events, which goes on until the page is closed or the server ends.

    Args:
        app: Gradio's.
        scope: What is asked.
        receive: Where the body comes from.
        send: Where the answer goes.
        ending: Set when the server ends.
    """
    begun = over = False

    async def with_headers(message: Message) -> None:
        nonlocal begun, over
        if message["type"] == "http.response.start":
            _dress(message, NOTHING)
        begun, over = True, not message.get("more_body", "body" not in message)
        await send(message)

    answering = asyncio.ensure_future(app(scope, receive, with_headers))
    ended = asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({answering, ended}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
            return
    finally:
        for task in (answering, ended):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
    if not begun:
        await PlainTextResponse("the studio ends\n", HTTPStatus.SERVICE_UNAVAILABLE)(
            scope, receive, send
        )
    elif not over:
        await send({"type": "http.response.body", "body": b""})


async def pass_json(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    body: bytes,
    ending: asyncio.Event,
) -> None:
    """A body that was read already.

    Args:
        app: Gradio's.
        scope: What is asked.
        receive: Where the end of the connection is told.
        send: Where the answer goes.
        body: The body.
        ending: Set when the server ends.
    """
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    await pass_reading(app, scope, again, send, ending=ending)


async def pass_page(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The page itself: held until it is whole, since its policy names its scripts' digests.

    Args:
        app: Gradio's.
        scope: What is asked.
        receive: Where the body comes from.
        send: Where the answer goes.
    """
    plain = [(key, value) for key, value in scope["headers"] if key != b"accept-encoding"]
    messages = await _held(app, {**scope, "headers": plain}, receive)
    html = b"".join(message.get("body", b"") for message in messages)
    _dress(messages[0], page_policy(html))
    MutableHeaders(scope=messages[0])["Cache-Control"] = "no-store"
    for message in messages:
        await send(message)


async def pass_upload(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, uploads: Path, most: int
) -> None:
    """Files: held until they lie on the disk, since only then is it known whether they do.

    Args:
        app: Gradio's.
        scope: What is asked.
        receive: Where the body comes from.
        send: Where the answer goes.
        uploads: Where they go.
        most: Bytes that they may have.

    Raises:
        Refusal: 413 if they have more, 507 if the disk is full.
    """
    try:
        messages = await _held(app, scope, counted(receive, most=most))
    except OSError as error:
        raise disk_full(uploads, error.strerror or str(error)) from None
    _dress(messages[0], NOTHING)
    for message in messages:
        await send(message)


async def _held(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    messages: list[Message] = []

    async def hold(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, hold)
    return messages


def _dress(start: Message, policy: str) -> None:
    start.setdefault("headers", [])
    headers = MutableHeaders(scope=start)
    for name in _DROPPED:
        del headers[name]
    headers.update(headers_of(policy))
