"""The HTTP side: threads, limits, and an end without loose ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import unquote

from hashbench.core.errors import ConfigError
from hashbench.serve.discovery import LOOPBACK
from hashbench.serve.gatekeeping import check_sender
from hashbench.serve.message import Request, Response
from hashbench.serve.refusal import Refusal
from hashbench.serve.upload import MOST_BYTES

MOST_CONNECTIONS: Final = 32
_SILENCE_SECONDS: Final = 20.0  # after which a connection that says nothing is closed
_LAST_SECONDS: Final = 5.0  # that running requests get when the worker ends
_DRAINED_BYTES: Final = 4 * MOST_BYTES
_DRAIN_SECONDS: Final = 2.0
_LENGTH_DIGITS: Final = 15
_BLOCK: Final = 1 << 16

Answerer = Callable[[Request], Response]


class Server(ThreadingHTTPServer):
    """A server on 127.0.0.1.

    Args:
        port: Where; 0 takes one that is free.
        answer: What answers requests.
        token: What every request must bring, if anything.

    Raises:
        ConfigError: If the port cannot be had.
    """

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, port: int, answer: Answerer, *, token: str | None = None) -> None:
        self.answer, self.token = answer, token
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._running = 0
        self._asked = time.monotonic()
        self._changed = threading.Condition()
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            why = error.strerror or error
            raise ConfigError(
                f"--port {port}: {why}; name another, or 0 for one that is free"
            ) from None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind, without asking a name server what this machine is called."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = LOOPBACK, self.port

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or say that there are too many."""
        if not self._slots.acquire(blocking=False):
            with suppress(OSError):
                request.sendall(_too_many())
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer all requests of one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Forget a connection that broke: whoever asked is gone."""

    def answered(self, request: Request, send: Callable[[Response], None]) -> None:
        """Answer one request and count it while it runs."""
        with self._changed:
            self._running += 1
            self._asked = time.monotonic()
        try:
            send(self.answer(request))
        finally:
            with self._changed:
                self._running -= 1
                self._asked = time.monotonic()
                self._changed.notify_all()

    def silence(self) -> float:
        """Seconds since anything was asked or answered; 0 while something is."""
        with self._changed:
            return 0.0 if self._running else time.monotonic() - self._asked

    def end(self) -> None:
        """Take no more requests, let those that run come to their end, and close."""
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, timeout=_LAST_SECONDS)

    def server_close(self) -> None:
        """Close the listening socket; connections that are open end with the process."""
        self.socket.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hashbench"
    sys_version = ""
    timeout = _SILENCE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet; flushed after each

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def do_DELETE(self) -> None:
        self._do()

    def _do(self) -> None:
        server = cast(Server, self.server)
        try:
            check_sender(self.headers, token=server.token)
            request = self._request()
        except Refusal as refusal:
            self._close_after(Response.refused(refusal.status, str(refusal)))
            return
        server.answered(request, self._send)

    def _request(self) -> Request:
        path, _, parameters = self.path.partition("?")
        if not path.startswith("/"):
            raise Refusal(HTTPStatus.BAD_REQUEST, "path: expected one that starts with /")
        try:
            decoded = unquote(path, errors="strict")
        except UnicodeDecodeError:
            raise Refusal(HTTPStatus.BAD_REQUEST, "path: not UTF-8") from None
        return Request(self.command, decoded, parameters, self._body())

    def _body(self) -> bytes:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "upload: send Content-Length, not chunks")
        if not lengths:
            return b""
        text = lengths[0]
        if len(lengths) > 1 or not (text.isascii() and text.isdigit()):
            raise Refusal(HTTPStatus.BAD_REQUEST, "Content-Length: expected one whole number")
        if len(text) > _LENGTH_DIGITS or int(text) > MOST_BYTES:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"upload: more than {MOST_BYTES // 2**20} MiB; make the image smaller",
            )
        if int(text) and self.command != "POST":
            raise Refusal(HTTPStatus.BAD_REQUEST, f"{self.command}: sends no body; use POST")
        return self._read(int(text))

    def _read(self, length: int) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.flush()
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "upload: it stopped before its end") from None
        if len(body) < length:
            raise Refusal(HTTPStatus.BAD_REQUEST, "upload: it ended before its Content-Length")
        return body

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(response.body)))
        fresh = "no-store" if response.kind == "application/json" else "private, max-age=3600"
        self.send_header("Cache-Control", fresh)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if response.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body)
        self.wfile.flush()

    def _close_after(self, response: Response) -> None:
        """Answer a request that was not read to its end, and read on so that the answer arrives."""
        self.close_connection = True
        self._send(response)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_DRAIN_SECONDS)
            until, left = time.monotonic() + _DRAIN_SECONDS, _DRAINED_BYTES
            while left > 0 and time.monotonic() < until:
                block = self.rfile.read1(_BLOCK)
                if not block:
                    break
                left -= len(block)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the library refuses by itself: lines and headers that are too long or odd."""
        del explain
        status = HTTPStatus(code)
        # Set only by a request line that could be read.
        self.request_version = getattr(self, "request_version", "") or "HTTP/1.1"
        self._close_after(Response.refused(status, message or status.phrase))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests; what goes wrong is in their answers."""


def _too_many() -> bytes:
    said = Response.refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"more than {MOST_CONNECTIONS} connections at once; try again",
    )
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(said.body)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + said.body
