"""Which proxy, if any, stands between a program and a server: one rule for every program that calls one.

The rule: loopback is never reached through a proxy, and neither is what NO_PROXY names; else HTTP_PROXY or HTTPS_PROXY,
by the URL's scheme, or ALL_PROXY. A variable in small letters comes before the same in capitals; an empty one counts as
unset. Proxies speak HTTP. Variables that a call does not need may hold anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import ClassVar
from urllib.parse import urlsplit

from shared.errors import DctwireError

_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"})
_Address = IPv4Address | IPv6Address


class ProxyError(DctwireError):
    """The variable that names the proxy of a call does not name one that can be used; its value is not repeated.

    Args:
        variable: the environment variable.
        fault: what is wrong with it.
        host: the server that was to be called.
    """

    code: ClassVar[str] = "proxy"

    def __init__(self, variable: str, fault: str, host: str) -> None:
        super().__init__(
            f"{variable} {fault}; name an HTTP proxy, such as http://proxy.example:3128, "
            f"or add {host} to NO_PROXY if it is reached without one"
        )
        self.variable, self.fault, self.host = variable, fault, host


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `url` may hold a password, its text does not."""

    url: str
    variable: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"the proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]} that {self.variable} names"


def proxy_for(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy through which a URL is to be fetched; None: directly.

    Raises:
        ProxyError: the variable that holds for this URL names no HTTP proxy.
        ValueError: this is no URL.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if is_loopback(host) or any(_is_of(entry, host, port) for entry in _exceptions(environment)):
        return None
    names = (name for kind in (parts.scheme, "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper()))
    variable = next((name for name in names if environment.get(name, "").strip()), None)
    return None if variable is None else _proxy(variable, environment[variable].strip(), host)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine; a name is one only where it can be nothing else."""
    address = _address(host)
    if address is None:
        return host in _LOOPBACK_NAMES or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _proxy(variable: str, value: str, host: str) -> Proxy:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0) and parts.path in ("", "/")
    except ValueError:
        is_whole = False
    if url.lower().startswith("socks"):
        raise ProxyError(variable, "names a SOCKS proxy, which dctwire does not speak", host)
    if not is_whole or parts.scheme not in _PORTS or any(not " " < letter < "\x7f" for letter in url):
        raise ProxyError(variable, "does not hold the address of an HTTP proxy", host)
    return Proxy(url, variable)


def _exceptions(environment: Mapping[str, str]) -> list[str]:
    text = environment.get("no_proxy", "").strip() or environment.get("NO_PROXY", "")
    return text.lower().replace(",", " ").split()


def _is_of(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY names a host: `*`, a name and what is below it, an address or network, each of the
    first and the last also in brackets, with a port, or both."""
    if entry == "*":
        return True
    name, asked = _without_port(entry)
    if asked is not None and asked != str(port):
        return False
    address = _address(host)
    if address is not None:
        return _is_in(name, address)
    suffix = name.lstrip("*").strip(".")
    return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))


def _without_port(entry: str) -> tuple[str, str | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name + (rest if rest.startswith("/") else ""), rest[1:] if rest.startswith(":") else None
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name else (entry, None)  # an IPv6 address has no port without brackets


def _is_in(network: str, address: _Address) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def _address(host: str) -> _Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
