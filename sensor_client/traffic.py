"""What bytes cross the network for, and what became of a device's traffic so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from sensor_client.budget import Urgency, Window


class Purpose(StrEnum):
    """What a request is for."""

    FRAMES = "frames"
    COMPANIONS = "companions"
    LABELS = "labels"
    UPDATES = "updates"
    HEARTBEATS = "heartbeats"
    OTHER = "other"  # enrolling, and what a person asks for

    @property
    def urgency(self) -> Urgency:
        """How long such requests may wait, as far as that alone tells: which frames are urgent, their sender knows."""
        if self in (Purpose.COMPANIONS, Purpose.LABELS):
            return Urgency.ORDINARY
        return Urgency.URGENT if self is Purpose.FRAMES else Urgency.UPKEEP


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes at the socket: payload of TCP, with TLS's own, without what carries it (TCP, IP, DNS).

    Args:
        sent, received: by purpose, since the state directory was made.
        spent: both ways, in the hour, day and month under way.
        limits: of those, where there are any.
    """

    sent: Mapping[Purpose, int] = field(default_factory=lambda: MappingProxyType({}))
    received: Mapping[Purpose, int] = field(default_factory=lambda: MappingProxyType({}))
    spent: Mapping[Window, int] = field(default_factory=lambda: MappingProxyType({}))
    limits: Mapping[Window, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_used_up(self) -> bool:
        """Whether the budget of any period is spent."""
        return any(self.spent.get(window, 0) >= limit for window, limit in self.limits.items())


class Meter(Protocol):
    """Who lets requests go, and is told what they cost. Any thread may call."""

    def ask(self, purpose: Purpose, request_bytes: int) -> None:
        """Return where a request of about this size may go now.

        Raises:
            OverBudgetError: it may not.
        """

    def count(self, purpose: Purpose, *, sent: int = 0, received: int = 0) -> None:
        """Note bytes that crossed the network."""
