"""Under which names, and from which pages, the studio may be asked."""

from __future__ import annotations

import socket

import pytest
from starlette.datastructures import Headers

from hashbench.serve.refusal import Refusal
from hashbench.studio.serving.visitors import Names, check_visitor

HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
        ("gallery.example", False),
    ],
)
def test_only_loopback_needs_no_password(host: str, loopback: bool) -> None:
    assert Names(host).loopback == loopback


@pytest.mark.parametrize(
    ("host", "name", "known"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", None, False),
        ("127.0.0.2", "127.0.0.2", True),
        ("0.0.0.0", "192.0.2.1", True),
        ("0.0.0.0", "2001:db8::1", True),
        ("0.0.0.0", HERE, True),
        ("0.0.0.0", "evil.example", False),
        ("gallery.example", "gallery.example", True),
    ],
)
def test_a_name_that_others_can_point_here_is_not_known(
    host: str, name: str | None, known: bool
) -> None:
    assert Names(host).has(name and name.lower()) == known


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:7860"},
        {"host": "LOCALHOST:7860", "origin": "http://localhost:7860"},
        {"host": "[::1]:7860", "sec-fetch-site": "same-origin"},
        {"host": "127.0.0.1", "sec-fetch-site": "none"},
        {"host": "localhost", "origin": "https://localhost"},
    ],
)
def test_the_page_itself_may_ask(headers: dict[str, str]) -> None:
    check_visitor(Headers(headers), names=Names("127.0.0.1"), reads_page=False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 400),
        ([("host", "localhost"), ("host", "localhost")], 400),
        ([("host", "evil.example")], 403),
        ([("host", "localhost:x")], 403),
        ([("host", "user@localhost")], 403),
        ([("host", "localhost"), ("origin", "http://localhost:1")], 403),
        ([("host", "localhost"), ("origin", "http://[")], 403),
        ([("host", "localhost"), ("origin", "null")], 403),
        ([("host", "localhost"), ("origin", "")], 403),
        ([("host", "localhost"), ("sec-fetch-site", "cross-site")], 403),
    ],
)
def test_others_may_not(headers: list[tuple[str, str]], status: int) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    with pytest.raises(Refusal) as refused:
        check_visitor(Headers(raw=raw), names=Names("127.0.0.1"), reads_page=False)
    assert refused.value.status == status


def test_a_link_elsewhere_may_lead_to_the_page_and_to_nothing_else() -> None:
    headers = Headers({"host": "localhost", "sec-fetch-site": "cross-site"})
    check_visitor(headers, names=Names("127.0.0.1"), reads_page=True)
    with pytest.raises(Refusal, match="other sites"):
        check_visitor(headers, names=Names("127.0.0.1"), reads_page=False)
