"""From where a request comes: what clients claim is not believed."""

import pytest
from fastapi import Request

from connector.config import Settings
from connector.web.client import client_address


def address(heard: str, forwarded: str | None, trusted: str) -> str | None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode("latin-1"))]
    request = Request({"type": "http", "client": (heard, 1), "headers": headers})
    return client_address(request, Settings.model_validate({"trusted_proxies": trusted}))


@pytest.mark.spec("SEC-239")
@pytest.mark.parametrize(
    ("heard", "forwarded", "trusted", "expected"),
    [
        ("9.9.9.9", "198.51.100.1", "", "9.9.9.9"),
        ("9.9.9.9", "198.51.100.1", "10.0.0.0/8", "9.9.9.9"),
        ("10.0.0.5", "198.51.100.1", "10.0.0.0/8", "198.51.100.1"),
        ("10.0.0.5", None, "10.0.0.0/8", None),
        ("10.0.0.5", "1.2.3.4, 198.51.100.1", "10.0.0.0/8", "198.51.100.1"),
        ("10.0.0.5", "198.51.100.1, 10.0.0.6", "10.0.0.0/8", "198.51.100.1"),
        ("10.0.0.5", "10.0.0.6", "10.0.0.0/8", None),
        ("10.0.0.5", "somebody", "10.0.0.0/8", None),
        ("10.0.0.5", "1.2.3.4, \xe9", "10.0.0.0/8", None),
        ("10.0.0.5", "192.168.7.7", "10.0.0.5", "192.168.7.7"),
        ("10.0.0.5", "198.51.100.1", "", None),
        ("127.0.0.1", "198.51.100.1", "", None),
        ("::1", "2001:db8::7", "::1, 10.0.0.1", "2001:db8::7"),
        ("testclient", "1.2.3.4", "10.0.0.0/8", None),
    ],
)
def test_only_a_proxy_of_ours_is_believed_and_only_as_far_as_it_goes(
    heard: str, forwarded: str | None, trusted: str, expected: str
) -> None:
    assert address(heard, forwarded, trusted) == expected


def test_a_thousand_hops_are_not_walked() -> None:
    assert address("10.0.0.5", ", ".join(["8.8.8.8", *["10.0.0.6"] * 1000]), "10.0.0.0/8") is None


def test_a_proxy_that_is_no_address_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 network"):
        Settings.model_validate({"trusted_proxies": "our-proxy"})
