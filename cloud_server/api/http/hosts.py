"""What a server is called: a Host header that no stranger can point here (DNS rebinding) names it.

A page that a browser loaded from a stranger's name can have that name point here, and then be of our origin. But its
requests carry the name. Addresses, and names without a dot, are not a stranger's to give.
"""

import re
from ipaddress import ip_address

ANY = "*"
REMEMBERED_MAX = 256
"""Host headers that are known to be right, so that they are looked at once."""
_HOST = re.compile(r"(?:\[(?P<ip>[^\]]*)\]|(?P<name>[^:]*))(?::[0-9]{0,5})?")
"""A name or an address, and a port that may be empty (RFC 9110 7.2)."""


class HostNames:
    """The names that a plane answers to.

    Args:
        names: names with a dot, divided by commas; `*` stands for every name.
        setting: where they are set, for whoever is refused.
    """

    def __init__(self, names: str, setting: str) -> None:
        self.setting = setting
        self._names = frozenset(name.strip().lower() for name in names.split(","))
        self._accepted: set[bytes] = set()

    def accepts(self, host: bytes) -> bool:
        """Whether a Host header names this plane."""
        if host in self._accepted:
            return True
        is_accepted = ANY in self._names or _is_own(str(host, "latin-1"), self._names)
        if is_accepted and len(self._accepted) < REMEMBERED_MAX:
            self._accepted.add(host)
        return is_accepted


def _is_own(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header holds an address, a name without a dot, or one of `names` (in small letters)."""
    parts = _HOST.fullmatch(host)
    name = "" if parts is None else parts["ip"] or parts["name"] or ""
    return bool(name) and ("." not in name or name.lower() in names or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
