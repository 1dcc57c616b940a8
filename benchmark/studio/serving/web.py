"""Serves the page: on this machine alone by default, and with nothing from outside."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from fastapi import FastAPI

from hashbench.core.errors import ConfigError
from hashbench.studio.context import StudioContext
from hashbench.studio.look import style, theme
from hashbench.studio.serving.guard import Guard, Rules
from hashbench.studio.serving.login import Login
from hashbench.studio.serving.surroundings import keep_to_itself, make_uploads, uploads_folder
from hashbench.studio.serving.visitors import Names

if TYPE_CHECKING:
    import gradio as gr

SHORTEST_PASSWORD: Final = 8
_MOST_CONNECTIONS: Final = 256  # a page holds two or three
_LAST_SECONDS: Final = 2  # that open pages get when the process ends
_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Builder = Callable[[StudioContext], "gr.Blocks"]


def serve(
    context: StudioContext,
    *,
    host: str,
    port: int,
    password: str | None,
    tell: Callable[[str], None] = print,
    build: Builder | None = None,
) -> None:
    """Serve the page until the process is told to end.

    Args:
        context: What the page was started with.
        host: The address to listen on.
        port: Where; 0 takes one that is free.
        password: What a visitor must give, if anything.
        tell: Called with one line, where the page is, when it can be opened.
        build: What makes the page; None takes `hashbench.studio.app.build`.

    Raises:
        ConfigError: If the port or the address cannot be had, or others could reach the page
            without a password.
        StoreError: If uploads cannot be kept.
    """
    names = Names(host)
    _check_password(names, password)
    with _listening(host, port) as listener:
        uploads = make_uploads(context.store)
        login = Login(password) if password else None
        rules = Rules(names, uploads, context.limits.upload_bytes, login)
        page = _page(context, build)
        server = _Server(application(page, rules), tell, _url(host, listener))
        server.run(sockets=[listener])


def application(page: gr.Blocks, rules: Rules) -> Guard:
    """The page as an ASGI application behind its guard.

    Args:
        page: Made after `keep_to_itself`, which says where its files lie.
        rules: What the guard goes by.
    """
    import gradio as gr

    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        outer,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        max_file_size=rules.most,
        theme=theme(),
        css=style(),
    )
    # A page that is mounted does not know that it is served, and copies any file that a request
    # names; the guard does not let such a request through either.
    page.has_launched = True
    return Guard(outer, rules)


def _page(context: StudioContext, build: Builder | None) -> gr.Blocks:
    keep_to_itself(uploads_folder(context.store).resolve())
    if build is not None:
        return build(context)
    from hashbench.studio import app

    return app.build(context)


def _check_password(names: Names, password: str | None) -> None:
    if password is None and not names.loopback:
        raise ConfigError(
            f"host {names.host}: others can reach it, so it needs a password; without one the "
            f"studio listens on 127.0.0.1"
        )
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise ConfigError(f"password: expected at least {SHORTEST_PASSWORD} characters")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        kind, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(kind, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{host}:{port}: {why}; name another port, or 0 for one that is free"
        ) from None
    with listener:
        yield listener


def _url(host: str, listener: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}/"


class _Server(uvicorn.Server):
    """A server that tells when it takes requests, and ends at once when it is told to.

    Args:
        app: What answers.
        tell: Called with a line that has the address.
        url: The address.
    """

    def __init__(self, app: Guard, tell: Callable[[str], None], url: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_LAST_SECONDS,
            )
        )
        self._guard, self._tell, self._url = app, tell, url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._tell(f"studio on {self._url}; Ctrl-C ends it")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close pages that are open, and end."""
        self._guard.end()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end a process as what ends the server, and nothing else."""

        def end(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before: dict[int, Any] = {number: signal.signal(number, end) for number in _ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
