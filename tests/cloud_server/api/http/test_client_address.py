"""Where a request comes from: no client says so, only a proxy that is trusted does."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.requests import Request

from cloud_server.api.http.client_address import TrustedProxies
from tests.cloud_server.harness.devices import joining
from tests.cloud_server.harness.server import server_in_thread, settings

PROXIES = TrustedProxies.parse("10.0.0.0/8, fd00::/8")
addresses = st.ip_addresses().map(str)


def address(proxies: TrustedProxies, peer: str | None, *forwarded: str) -> str:
    """Where a request with these headers comes from."""
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    scope = {"type": "http", "headers": headers, "client": None if peer is None else (peer, 1234)}
    return proxies.address_of(Request(scope))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),  # the client wrote the first one
        ("10.0.0.1", ["1.1.1.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7, \xff\xfe"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("198.51.100.9", ["203.0.113.7"], "198.51.100.9"),
        (None, ["203.0.113.7"], ""),
    ],
)
def test_the_last_hop_that_is_no_trusted_proxy_is_the_client(
    peer: str | None, forwarded: list[str], expected: str
) -> None:
    assert address(PROXIES, peer, *forwarded) == expected


@given(addresses, st.lists(addresses, max_size=40))
def test_without_trusted_proxies_the_connection_decides(peer: str, hops: list[str]) -> None:
    assert address(TrustedProxies(), peer, ",".join(hops)) == peer


@given(st.lists(addresses, max_size=40), addresses.filter(lambda one: address(PROXIES, one, "192.0.2.1") == one))
def test_whatever_a_client_writes_its_own_address_stands(written: list[str], client: str) -> None:
    said = address(PROXIES, "10.0.0.1", ",".join([*written, client]))
    assert ip_address(said) == (getattr(ip_address(client), "ipv4_mapped", None) or ip_address(client))


def test_what_is_no_network_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        settings(tmp_path, trusted_proxies="10.0.0.0/8,everybody")


@pytest.mark.parametrize(("trusted", "refused"), [("127.0.0.1", 401), ("", 429)])
def test_a_guesser_behind_a_proxy_keeps_nobody_else_behind_it_out(tmp_path: Path, trusted: str, refused: int) -> None:
    with server_in_thread(tmp_path, trusted_proxies=trusted) as harness:
        client = harness.client("device")

        def guess(address: str) -> int:
            headers = {"x-forwarded-for": address}
            return client.post("/v1/devices", json=joining("2345-6789-ABCD"), headers=headers).status_code

        assert {guess("203.0.113.7") for _ in range(40)} == {401, 429}
        assert guess("203.0.113.8") == refused
