"""Who may call the operator plane: requests to a Host of ours, a name that no stranger can point here (DNS rebinding).

Nobody logs in yet: the plane listens on loopback. Whatever tells operators apart belongs here.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from starlette.requests import Request

from shared.errors import PeerError


def require_own_host(names: str) -> Callable[[Request], Awaitable[None]]:
    """A dependency that refuses a request whose Host is not ours; `names` are further names, divided by commas.

    A page that a browser loaded from a stranger's name can have that name point here, and then be of our origin. But
    its requests carry the name. Addresses, and names without a dot, are not a stranger's to give.
    """
    own = frozenset(name.strip().lower() for name in names.split(","))

    async def check(request: Request) -> None:
        host = request.headers.get("host", "")
        if not is_own(host, own):
            raise PeerError(f"the operator plane is not called {host[:64]!r}; name it in operator_hosts if it is")

    return check


def is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header holds an address, a name without a dot, or one of `names` (in small letters)."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return bool(name) and ("." not in name or name.lower() in names or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
