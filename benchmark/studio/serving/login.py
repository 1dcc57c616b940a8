"""The password: asked once a browser, compared in constant time, guessed slowly."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import secrets
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from hashbench.serve.refusal import Refusal

MOST_BYTES: Final = 4096
_FREE_GUESSES: Final = 5
_LONGEST_WAIT: Final = 300.0
_MOST_ADDRESSES: Final = 10_000
_MOST_A_MINUTE: Final = 100  # wrong guesses of all addresses together
_MINUTE: Final = 60.0
_SESSION_SECONDS: Final = 12 * 3600.0
_COOKIE: Final = "hashbench_studio"

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>hashbench studio</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif }}
body {{ display: grid; place-items: center; min-height: 90vh; margin: 1rem }}
form {{ display: grid; gap: .8rem; width: min(20rem, 100%) }}
input, button {{ font: inherit; padding: .6rem }}
</style></head>
<body><main><h1>hashbench studio</h1>
<form method="post" action="/login"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" autofocus
required><button>Log in</button><p role="alert">{message}</p></form></main></body></html>
"""


class Guesses:
    """Who guessed wrong, and how long that address has to wait.

    Args:
        clock: Seconds that only go up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}
        self._recent: deque[float] = deque()

    def wait(self, address: str) -> float:
        """Seconds until an address may guess.

        Args:
            address: Whose.
        """
        now = self._clock()
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        crowd = 0.0
        if len(self._recent) >= _MOST_A_MINUTE:
            crowd = self._recent[0] + _MINUTE - now
        return max(crowd, self._wrong.get(address, (0, now))[1] - now)

    def wrong(self, address: str) -> None:
        """Note a wrong guess; from the fifth on, each doubles the wait.

        Args:
            address: Whose.
        """
        now = self._clock()
        times = self._wrong.pop(address, (0, 0.0))[0] + 1
        wait = min(2.0 ** (times - _FREE_GUESSES), _LONGEST_WAIT) if times >= _FREE_GUESSES else 0
        self._wrong[address] = (times, now + wait)
        self._recent.append(now)
        if len(self._wrong) > _MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

    def right(self, address: str) -> None:
        """Forget the wrong guesses of an address.

        Args:
            address: Whose.
        """
        self._wrong.pop(address, None)


class Login:
    """Knows the password's digest and who is logged in; both end with the process.

    Args:
        password: What a visitor must give.
        clock: Seconds that only go up.
    """

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._salt = secrets.token_bytes(16)
        self._digest = self._of(password)
        self._clock = clock
        self._guesses = Guesses(clock)
        self._sessions: dict[str, float] = {}

    def knows(self, headers: Headers, *, address: str) -> bool:
        """Whether a request is of somebody who gave the password, by cookie or with the request.

        Args:
            headers: The request's.
            address: Where it comes from.

        Raises:
            Refusal: 429 if that address guesses too often.
        """
        if self._sessions.get(_cookie(headers), 0.0) > self._clock():
            return True
        given = _basic(headers)
        return given is not None and self._is_right(given, address=address)

    def log_in(self, form: bytes, *, address: str) -> str | None:
        """Take the form.

        Args:
            form: Its body.
            address: Where it comes from.

        Returns:
            What ``Set-Cookie`` says, None if the password is wrong.

        Raises:
            Refusal: 429 if that address guesses too often.
        """
        given = parse_qs(form.decode("utf-8", "replace"), max_num_fields=4).get("password", [""])
        if not self._is_right(given[0], address=address):
            return None
        now = self._clock()
        self._sessions = {key: end for key, end in self._sessions.items() if end > now}
        key = secrets.token_urlsafe(32)
        self._sessions[key] = now + _SESSION_SECONDS
        return f"{_COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict"

    def _is_right(self, given: str, *, address: str) -> bool:
        wait = self._guesses.wait(address)
        if wait > 0:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS, f"too many wrong passwords; wait {wait:.0f} s"
            )
        right = hmac.compare_digest(self._of(given), self._digest)
        (self._guesses.right if right else self._guesses.wrong)(address)
        return right

    def _of(self, password: str) -> bytes:
        return hashlib.sha256(self._salt + password.encode("utf-8", "replace")).digest()


def login_page(message: str = "") -> str:
    """The page that asks for the password.

    Args:
        message: What to say besides.
    """
    return _PAGE.format(message=html.escape(message))


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _basic(headers: Headers) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text.partition(":")[2]
