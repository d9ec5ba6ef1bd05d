"""The error tree both ends of the wire agree on: what is wrong, and whether trying again can help."""

from typing import ClassVar


class DctwireError(Exception):
    """Every error dctwire raises on purpose."""


class PeerError(DctwireError):
    """What we were sent is wrong: refuse it. `code` is the problem code a server answers with."""

    code: ClassVar[str] = "bad-request"


class RefusedError(DctwireError):
    """They refused what we sent, and will again: drop it.

    Args:
        status: HTTP status.
        code: problem code, or "" when the peer sent none.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class ChannelError(DctwireError):
    """The line, or a busy peer: try again, not sooner than `retry_after_seconds` where the peer named one."""

    def __init__(self, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
