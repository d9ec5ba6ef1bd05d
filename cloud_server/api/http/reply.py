"""An answer as ASGI has it, for what is answered without a framework."""

from dataclasses import dataclass

from starlette.types import Send

HeaderLine = tuple[bytes, bytes]
"""A header's name, in lower case, and its value."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, headers and a whole body."""

    status: int
    headers: list[HeaderLine]
    body: bytes = b""

    async def send(self, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
