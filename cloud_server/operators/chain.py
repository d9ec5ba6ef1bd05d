"""The chain of the audit, without a database: what a row's hash must be, and whether rows follow each other.

Each row holds the hash of the row before it, and its own: SHA-256 over its other members as canonical JSON.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict

from cloud_server.errors import BrokenAuditError
from cloud_server.storage.audit_row import AuditRow, Head
from shared.bundle import canonical_json

BEGINNING = Head(0, "0" * 64)
"""What the first row follows."""
_Fact = str | int | bool | None


class Entry(BaseModel):
    """One change: who asked for it in which request, what it did to what, and the hashes that chain it.

    `at_ms` is in milliseconds since 1970; `before` is None of what was not there, `after` of what is gone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    at_ms: int
    operator: str
    role: str
    address: str
    request_id: str
    action: str
    subject: str
    before: dict[str, _Fact] | None
    after: dict[str, _Fact] | None
    previous: str
    hash: str

    @classmethod
    def of(cls, row: AuditRow) -> Self:
        """As its row says."""
        facts = {name: _facts(getattr(row, name)) for name in ("before", "after")}
        return cls(**row._asdict() | facts)

    def row(self) -> AuditRow:
        """As it is stored."""
        texts = {"before": text_of(self.before), "after": text_of(self.after)}
        return AuditRow(**dict(self) | texts)


class Chain:
    """A chain of rows, as far as it was followed."""

    def __init__(self, head: Head = BEGINNING) -> None:
        self.head = head

    def follow(self, row: AuditRow) -> None:
        """Go on to the row that comes next.

        Raises:
            BrokenAuditError: it is another one, or was changed.
        """
        if row.seq != self.head.seq + 1:
            raise BrokenAuditError(self.head.seq + 1, "is not there")
        if row.previous != self.head.hash:
            raise BrokenAuditError(row.seq, "does not follow the row before it")
        if row.hash != hash_of(row):
            raise BrokenAuditError(row.seq, "was changed")
        self.head = Head(row.seq, row.hash)


def require_whole(newest: Sequence[AuditRow], head: Head) -> None:
    """Whether these rows, the newest ones in order, follow each other up to the end of the chain.

    Raises:
        BrokenAuditError: they do not; names the first row that is wrong.
    """
    first = newest[0] if newest else None
    chain = Chain(BEGINNING if first is None or first.seq == 1 else Head(first.seq - 1, first.previous))
    for row in newest:
        chain.follow(row)
    if chain.head != head:
        raise BrokenAuditError(chain.head.seq + 1, "is not there")


def hash_of(row: AuditRow) -> str:
    """The hash that a row must have: over its other members, as canonical JSON."""
    members = row._asdict()
    del members["hash"]
    return hashlib.sha256(canonical_json(members)).hexdigest()


def text_of(facts: Mapping[str, _Fact] | None) -> str | None:
    """What is noted of a thing, as it is stored: canonical JSON."""
    return None if facts is None else canonical_json(dict(facts)).decode()


def _facts(text: str | None) -> dict[str, _Fact] | None:
    facts: dict[str, _Fact] | None = None if text is None else json.loads(text)
    return facts
