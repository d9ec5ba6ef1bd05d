"""Witnesses: whoever keeps a record of changes is told of each in the transaction that makes it."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from cloud_server.storage.database import Transaction

Fact: TypeAlias = str | int | bool | None
Facts: TypeAlias = Mapping[str, Fact]
"""What is worth remembering of a thing: never a secret, never a number that is not whole."""


class Witness(Protocol):
    """Told what a change did to its subject."""

    def __call__(self, transaction: Transaction, before: Facts | None, after: Facts | None, /) -> None:
        """Take note of one change, as part of its transaction.

        Args:
            before: the subject as it was; None where it was not there. A subject that stays as it was is no change.
            after: the subject as it is now; None where it is gone.
        """


def unwitnessed(_transaction: Transaction, _before: Facts | None, _after: Facts | None) -> None:
    """Nobody takes note: what a process does by itself."""
