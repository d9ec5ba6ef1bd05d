"""What can be wrong with a JPEG or a table set; all of it is the sender's fault."""

from typing import ClassVar

from shared.errors import PeerError


class JpegError(PeerError):
    """Any fault in what was given to the codec."""

    code: ClassVar[str] = "corrupt-jpeg"


class NotAJpegError(JpegError):
    """The bytes do not begin like a JPEG."""

    code: ClassVar[str] = "not-a-jpeg"


class UnsupportedJpegError(JpegError):
    """A JPEG of a kind that is not read, such as arithmetic, lossless, CMYK or 12-bit, or another sampling."""

    code: ClassVar[str] = "unsupported-jpeg"


class CorruptJpegError(JpegError):
    """A marker segment breaks the rules of T.81, or the data end early."""

    code: ClassVar[str] = "corrupt-jpeg"


class CorruptScanError(CorruptJpegError):
    """The entropy-coded data break the rules of T.81, or end early."""


class ContainedFaultError(CorruptJpegError):
    """The input led to a fault inside the codec, which was contained. It is refused like any corrupt input."""


class InvalidTablesError(JpegError):
    """A table set that cannot be used, or a tables-only stream that is not canonical."""

    code: ClassVar[str] = "invalid-tables"


class UnknownTablesError(JpegError):
    """The frame was coded with tables that the decoder does not have.

    Args:
        tables_id: what the frame's APP10 names, or None where it names nothing.
    """

    code: ClassVar[str] = "unknown-tables"

    def __init__(self, tables_id: str | None, detail: str = "the tables are not known") -> None:
        super().__init__(f"{detail} (tables id: {tables_id or 'not given'})")
        self.tables_id = tables_id


class LimitExceededError(JpegError):
    """The stream would cost more than a limit allows.

    Args:
        limit: the limit's value.
        actual: what the stream asks for.
        name: the field of `Limits`.
    """

    code: ClassVar[str] = "over-limit"

    def __init__(self, limit: int, actual: int, name: str = "limit") -> None:
        super().__init__(f"{name} is {limit}, the stream has {actual}")
        self.limit = limit
        self.actual = actual
        self.name = name
