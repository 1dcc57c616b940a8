"""The password of the studio."""

from __future__ import annotations

import base64
from http.cookies import SimpleCookie

import pytest
from starlette.datastructures import Headers

from hashbench.serve.refusal import Refusal
from hashbench.studio.serving.login import Guesses, Login, login_page

PASSWORD = "päss wörd &+=%"
HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def login(clock: Clock) -> Login:
    return Login(PASSWORD, clock)


def form(password: str) -> bytes:
    from urllib.parse import urlencode

    return urlencode({"password": password}).encode()


def with_cookie(said: str) -> Headers:
    (name, morsel), *_ = SimpleCookie(said).items()
    return Headers({"cookie": f"other=1; {name}={morsel.value}"})


def test_the_password_gives_a_cookie_that_is_known_for_half_a_day(
    login: Login, clock: Clock
) -> None:
    said = login.log_in(form(PASSWORD), address="a")
    assert said is not None
    assert login.knows(with_cookie(said), address="b")
    clock.now += 13 * HOUR
    assert not login.knows(with_cookie(said), address="b")


@pytest.mark.parametrize("given", ["", "päss", PASSWORD + " ", PASSWORD.upper(), "\0"])
def test_another_password_gives_none(login: Login, given: str) -> None:
    assert login.log_in(form(given), address="a") is None


@pytest.mark.parametrize("body", [b"", b"password", b"user=x", b"\xff=\xff"])
def test_a_form_without_a_password_gives_none(login: Login, body: bytes) -> None:
    assert login.log_in(body, address="a") is None


def test_two_logins_are_two_sessions(login: Login) -> None:
    assert login.log_in(form(PASSWORD), address="a") != login.log_in(form(PASSWORD), address="a")


@pytest.mark.parametrize("cookie", ["", "hashbench_studio=", "hashbench_studio=x", "=;=;", "\x01"])
def test_no_other_cookie_is_known(login: Login, cookie: str) -> None:
    login.log_in(form(PASSWORD), address="a")
    assert not login.knows(Headers({"cookie": cookie}), address="a")


def test_a_program_may_send_the_password_with_each_request(login: Login) -> None:
    def sent(text: str) -> Headers:
        return Headers({"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"})

    assert login.knows(sent(f"anyone:{PASSWORD}"), address="a")
    assert not login.knows(sent("anyone:wrong"), address="a")
    assert not login.knows(Headers({"authorization": "Basic %%%"}), address="a")
    assert not login.knows(Headers({"authorization": f"Bearer {PASSWORD}"}), address="a")


def test_wrong_guesses_wait_longer_each_time_and_the_right_one_as_well(
    login: Login, clock: Clock
) -> None:
    for _ in range(5):
        assert login.log_in(form("wrong"), address="a") is None
    with pytest.raises(Refusal, match="wait 1 s") as refused:
        login.log_in(form(PASSWORD), address="a")
    assert refused.value.status == 429
    assert login.log_in(form(PASSWORD), address="b") is not None, "others do not wait"
    clock.now += 1
    assert login.log_in(form("wrong"), address="a") is None
    with pytest.raises(Refusal, match="wait 2 s"):
        login.log_in(form(PASSWORD), address="a")
    clock.now += 2
    assert login.log_in(form(PASSWORD), address="a") is not None
    assert login.log_in(form("wrong"), address="a") is None, "the count began anew"


def test_the_wait_has_an_end(clock: Clock) -> None:
    guesses = Guesses(clock)
    for _ in range(50):
        guesses.wrong("a")
    clock.now += 61
    assert 0 < guesses.wait("a") <= 300


def test_many_addresses_together_wait_too(clock: Clock) -> None:
    guesses = Guesses(clock)
    for number in range(100):
        guesses.wrong(f"address {number}")
        clock.now += 0.1
    assert guesses.wait("another") == pytest.approx(50)
    clock.now += 50.1
    assert guesses.wait("another") == 0


def test_the_page_says_a_message_as_text() -> None:
    assert "&lt;b&gt;" in login_page("<b>")
