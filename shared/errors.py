"""The error tree that both ends of the wire share: what is wrong, and whether trying again can help."""

from collections.abc import Callable
from typing import ClassVar


class DctwireError(Exception):
    """Every error dctwire raises on purpose. It survives pickle and copies, and with them pools of processes."""

    def __reduce__(self) -> tuple[Callable[..., "DctwireError"], tuple[object, ...], dict[str, object]]:
        # Exception's own calls the constructor with the message, which fails, or says it twice, where that one takes
        # values and makes the message of them. A pool that cannot unpickle an error waits for ever.
        return self.__class__.__new__, (self.__class__, *self.args), self.__dict__


class PeerError(DctwireError):
    """What we were sent is wrong: refuse it. `code` is the problem code that a server answers with."""

    code: ClassVar[str] = "bad-request"


class RefusedError(DctwireError):
    """The peer refused what we sent, and would refuse it again: drop it.

    Args:
        status: HTTP status.
        code: problem code, or "" when the peer sent none.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code


class ChannelError(DctwireError):
    """The line is broken or the peer busy: try again, not before `retry_after_seconds` where the peer named a time."""

    def __init__(self, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
