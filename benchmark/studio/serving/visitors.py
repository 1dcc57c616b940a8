"""Who may ask: a browser that shows this very page, under a name that leads to this machine."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from hashbench.serve.gatekeeping import LOOPBACK_NAMES, host_name
from hashbench.serve.refusal import Refusal

_OWN = frozenset({"same-origin", "none"})  # "none": typed, or from a bookmark


@dataclass(frozen=True, slots=True)
class Names:
    """The names under which the page may be asked for.

    Attributes:
        host: The address that is listened on.
    """

    host: str

    @property
    def loopback(self) -> bool:
        """Whether only programs of this machine can ask."""
        return self.host in LOOPBACK_NAMES or (
            _is_number(self.host) and ipaddress.ip_address(self.host).is_loopback
        )

    def has(self, name: str | None) -> bool:
        """Whether a name is one of them.

        Somebody else's name can be made to lead here, and then the page of that name passes for
        this one. An address in numbers cannot.

        Args:
            name: Without a port.
        """
        if name is None:
            return False
        if name in LOOPBACK_NAMES or name == self.host.lower():
            return True
        own = name == socket.gethostname().lower() or _is_number(name)
        return own and not self.loopback


def check_visitor(headers: Headers, *, names: Names, reads_page: bool) -> None:
    """Check where a request comes from.

    Args:
        headers: The request's.
        names: The names that lead here.
        reads_page: Whether the page itself is asked for, which a link elsewhere may.

    Raises:
        Refusal: 400 without one Host, 403 if it is another's, or a page of another origin asks.
    """
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Host: expected this header once")
    if not names.has(host_name(f"//{hosts[0]}")):
        raise Refusal(HTTPStatus.FORBIDDEN, f"Host: {hosts[0][:80]!r} is no name of this studio")
    for origin in headers.getlist("origin"):
        if _place(origin) != hosts[0].lower():
            raise Refusal(HTTPStatus.FORBIDDEN, "Origin: pages of other sites may not ask")
    if not reads_page and not _OWN.issuperset(headers.getlist("sec-fetch-site")):
        raise Refusal(HTTPStatus.FORBIDDEN, "Sec-Fetch-Site: pages of other sites may not ask")


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
