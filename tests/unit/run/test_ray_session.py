"""Addresses that are no cluster's; what a session does is in tests/clusters/test_ray.py."""

from __future__ import annotations

import socket

import pytest

from hashbench.core.errors import ConfigError
from hashbench.run.launchers.ray.session import session


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nonsense", "write auto, or HOST:PORT"),
        ("host:", "write auto, or HOST:PORT"),
        (":6379", "write auto, or HOST:PORT"),
        ("127.0.0.1:700000", "no cluster answers there"),
        ("ray://head:10001", "start it on a machine of the cluster"),
    ],
)
def test_what_is_no_address_of_a_cluster_is_one_line(address: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught, session(address):
        pass
    assert str(caught.value).startswith(f"Ray address {address}: ")
    assert len(caught.value.problems) == 1


def test_a_port_where_nobody_listens_is_told_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConfigError, match="ray start --address HOST:PORT"), session(address):
            pass
