"""Where a request comes from: its connection's other end, or what a proxy that is trusted says of that.

Only `X-Forwarded-For` is read. A proxy sets one of it and `Forwarded` (RFC 7239), and hands the other through as a
client wrote it: whoever believes both believes the client.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request

from cloud_server.api.http.bodies import header_list

HOPS_MAX = 16
"""Of a longer list the last so many are looked at."""


class TrustedProxies:
    """Proxies whose word is believed.

    Args:
        networks: what their addresses lie in; without any, nobody is believed.
    """

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(networks)

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Addresses and networks, separated by commas.

        Raises:
            ValueError: one of them is neither.
        """
        return cls([ip_network(part.strip()) for part in text.split(",") if part.strip()])

    def address_of(self, request: Request) -> str:
        """The address of the last hop that is no trusted proxy; empty where the connection has none."""
        address = request.client.host if request.client else ""
        if not self._networks:
            return address
        for hop in reversed(header_list(request, b"x-forwarded-for")[-HOPS_MAX:]):
            said = _address(hop)
            if not self._trusts(_address(address)) or said is None:
                break
            address = str(said)
        return address

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in a hop, which may have a port behind it, and brackets around an IPv6 one."""
    bare = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
