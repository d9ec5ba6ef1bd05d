"""One row of the audit, as it is stored and hashed: also for the command line, which has no database."""

from typing import NamedTuple


class AuditRow(NamedTuple):
    """One change, its fields the table's columns; `at_ms` in milliseconds since 1970, `before` and `after` as JSON."""

    seq: int
    at_ms: int
    operator: str
    role: str
    address: str
    request_id: str
    action: str
    subject: str
    before: str | None
    after: str | None
    previous: str
    hash: str


class Head(NamedTuple):
    """The end of the chain: its last row's number and hash."""

    seq: int
    hash: str
