"""Who may ask: programs of this machine, not pages of other sites, and only with the token."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from email.message import Message
from http import HTTPStatus
from urllib.parse import urlsplit

from hashbench.serve.refusal import Refusal

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""What this machine is called by its own programs."""
_SCHEME = "Bearer "


def check_sender(headers: Message, *, token: str | None) -> None:
    """Check where a request comes from.

    A page of another site cannot read this worker's answers, but it could have a browser send
    requests, or, by a name that it lets lead to 127.0.0.1, pass for the same site: the names in
    ``Host`` and ``Origin`` tell.

    Args:
        headers: The request's.
        token: What it must bring, if anything.

    Raises:
        Refusal: 400 without one Host, 403 if a name is not of this machine, 401 without the token.
    """
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Host: expected this header once")
    if host_name(f"//{hosts[0]}") not in LOOPBACK_NAMES:
        raise Refusal(HTTPStatus.FORBIDDEN, f"Host: {hosts[0][:80]!r} is not a name of loopback")
    for origin in headers.get_all("Origin", []):
        if host_name(origin) not in LOOPBACK_NAMES:
            raise Refusal(HTTPStatus.FORBIDDEN, "Origin: pages of other sites may not ask")
    if token is not None and not _brings(headers.get_all("Authorization", []), token):
        raise Refusal(
            HTTPStatus.UNAUTHORIZED,
            "Authorization: expected 'Bearer TOKEN'; the worker printed the token, and "
            "STORE/.work/serve.token holds it",
        )


def host_name(address: str) -> str | None:
    """The name in an address, in lower case; None where it has none, or somebody's login.

    Args:
        address: With a scheme, or beginning with ``//``.
    """
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return None
    return None if parts.username is not None else parts.hostname


def _brings(given: Sequence[str], token: str) -> bool:
    if len(given) != 1 or not given[0].startswith(_SCHEME):
        return False
    return hmac.compare_digest(given[0].removeprefix(_SCHEME).strip().encode(), token.encode())
