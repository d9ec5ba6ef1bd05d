"""The address of a camera that speaks HTTP."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin, urlsplit

from sensor_client.sources.shot import SourceError


def refuse_login(address: str) -> None:
    """Take no address with a login in it.

    Raises:
        SourceError: there is one; nothing of the address is repeated.
    """
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise SourceError(
            "a login in an address ends up in logs and lists of processes: put user:password into a file of mode "
            "0600, and name it with --source-login"
        )


@dataclass(frozen=True)
class HttpAddress:
    """Where a camera's pictures are. Shown without its query, which may hold secrets."""

    scheme: str
    host: str
    port: int | None
    target: str

    @classmethod
    def parse(cls, address: str) -> Self:
        """The parts of an http or https address.

        Raises:
            SourceError: it is none, or holds a login: nothing of it is repeated then.
        """
        try:
            url = urlsplit(address)
            port = url.port
        except ValueError as error:
            raise SourceError("a camera's address looks like http://camera:8080/picture.jpg") from error
        refuse_login(address)
        if url.scheme not in ("http", "https") or not url.hostname or port == 0:
            raise SourceError("a camera's address looks like http://camera:8080/picture.jpg")
        if any(not " " < letter < "\x7f" for letter in address):
            raise SourceError("a camera's address is ASCII without spaces: write other letters as %XX")
        return cls(url.scheme, url.hostname, port, (url.path or "/") + (f"?{url.query}" if url.query else ""))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"

    @property
    def authority(self) -> str:
        """Host and port, as the header Host has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def redirected(self, location: str) -> Self | None:
        """Where a redirect leads; None where that is another host, port or scheme."""
        try:
            there = self.parse(urljoin(f"{self.scheme}://{self.authority}{self.target}", location))
        except (SourceError, ValueError):  # of urljoin, where a host is none
            return None
        return there if (there.scheme, there.host, there.port) == (self.scheme, self.host, self.port) else None
