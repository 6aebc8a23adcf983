"""Addresses of hosts and clients."""

import pytest

from idolchat_api.addresses import is_loopback


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
