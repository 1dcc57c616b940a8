"""What stands before Gradio: every request is looked at here first, and every answer last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hashbench.serve.refusal import Refusal
from hashbench.studio.serving import login
from hashbench.studio.serving.bodies import MOST_JSON, check_json, check_room, read_body
from hashbench.studio.serving.doors import UPLOAD, check_door
from hashbench.studio.serving.passing import pass_json, pass_page, pass_reading, pass_upload
from hashbench.studio.serving.policy import FORM, headers_of
from hashbench.studio.serving.surroundings import forget_old
from hashbench.studio.serving.visitors import Names, check_visitor

_LOGIN: Final = "/login"
# A client may write these as it likes; Gradio would make addresses of them.
_NOT_PASSED: Final = (b"x-forwarded-", b"forwarded", b"x-gradio-", b"x-direct-url", b"referer")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guard goes by.

    Attributes:
        names: The names that lead to the page.
        uploads: The folder of what was sent, resolved.
        most: Bytes of one upload.
        login: Who is logged in; None where no password is needed.
    """

    names: Names
    uploads: Path
    most: int
    login: login.Login | None = None


class Guard:
    """An ASGI application around Gradio's.

    Args:
        app: Gradio's.
        rules: What to go by.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End what is still being answered: streams of events, which have no end of their own."""
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on.

        Args:
            scope: What is asked.
            receive: Where the body comes from.
            send: Where the answer goes.
        """
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page opens no web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            answer = await self._look(scope, receive)
            if answer is None:
                await self._pass(scope, receive, send)
                return
        except Refusal as refusal:
            # The rest of a body that was refused is not read, so the connection ends.
            answer = PlainTextResponse(f"{refusal}\n", refusal.status, {"Connection": "close"})
        answer.headers.update({**headers_of(FORM), "Cache-Control": "no-store"})
        await answer(scope, receive, send)

    async def _look(self, scope: Scope, receive: Receive) -> Response | None:
        headers, path, reads = Headers(scope=scope), scope["path"], scope["method"] != "POST"
        reads_page = reads and path in {"/", _LOGIN}
        check_visitor(headers, names=self._rules.names, reads_page=reads_page)
        if self._rules.login is not None:
            answer = await _asked_in(scope, receive, self._rules.login)
            if answer is not None:
                return answer
        check_door(scope["method"], path, uploads=self._rules.uploads)
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = [(key, value) for key, value in scope["headers"] if not key.startswith(_NOT_PASSED)]
        scope = {**scope, "headers": kept}
        headers, rules = Headers(scope=scope), self._rules
        if scope["path"] == UPLOAD:
            forget_old(rules.uploads)
            check_room(headers, uploads=rules.uploads, most=rules.most)
            await pass_upload(
                self._app, scope, receive, send, uploads=rules.uploads, most=rules.most
            )
        elif scope["method"] == "POST":
            body = await read_body(headers, receive, most=MOST_JSON)
            check_json(body, uploads=rules.uploads)
            await pass_json(self._app, scope, receive, send, body=body, ending=self._ending)
        elif scope["path"] == "/":
            await pass_page(self._app, scope, receive, send)
        else:
            await pass_reading(self._app, scope, receive, send, ending=self._ending)


async def _asked_in(scope: Scope, receive: Receive, known: login.Login) -> Response | None:
    """What to answer to somebody who is not logged in, or is about to be."""
    headers, path = Headers(scope=scope), scope["path"]
    address = scope["client"][0] if scope.get("client") else ""
    if path == _LOGIN and scope["method"] == "POST":
        form = await read_body(headers, receive, most=login.MOST_BYTES)
        cookie = known.log_in(form, address=address)
        if cookie is None:
            page = login.login_page("That is not the password.")
            return HTMLResponse(page, HTTPStatus.UNAUTHORIZED)
        return RedirectResponse("/", HTTPStatus.SEE_OTHER, {"Set-Cookie": cookie})
    if path == _LOGIN:
        return HTMLResponse(login.login_page())
    if known.knows(headers, address=address):
        return None
    if path == "/":
        return RedirectResponse(_LOGIN, HTTPStatus.SEE_OTHER)
    raise Refusal(HTTPStatus.UNAUTHORIZED, "log in first: reload the page")
