"""Addresses of hosts and clients."""

import pytest

from idolchat_api.addresses import Networks, is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("192.0.2.1", False),
        ("::", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_by_its_looks(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (["10.0.0.0/8"], "10.7.8.9", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["192.0.2.9", "fd00::/8"], "fd12::1", True),
        (["192.0.2.9"], "192.0.2.9", True),
        (["192.0.2.9"], "not an address", False),
        (["*"], "not an address", True),
        ([], "192.0.2.9", False),
    ],
)
def test_a_network_holds_its_addresses(names: list[str], host: str, expected: bool) -> None:
    assert (host in Networks(names)) is expected
