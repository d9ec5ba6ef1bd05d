"""How many connections a listener holds: not all of one address, and those that keep us waiting make room."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cloud_server.fleet.guesses import site_of

OTHERS_SHARE = 8
"""One address leaves this part of all places to others: a flood from it keeps nobody else out."""
HEAD_SECONDS = 1.0
"""How long a request's head may take before its connection may be closed for a new one."""
PEER_SECONDS = 5.0
"""How long a body may take, or a client to read its answer, before an address that holds fewer may have the place."""
IDLE_SECONDS = 1.0
"""A connection that was idle for so long, when a new one could have its place, is left alone like a new one again."""
_OWN = frozenset({"127.0.0.1", "::1"})
"""Where a proxy on this machine brings everybody's connections from."""


class Waiting(Enum):
    """What a connection waits for that is not ours to give; in the order in which connections make room."""

    REQUEST = "nothing was asked yet, or all is answered"
    HEAD = "a request has begun, and its head is not whole"
    PEER = "the rest of a body, or that an answer is read"


_PEERS = (Waiting.HEAD, Waiting.PEER)
_PATIENCE_SECONDS = {Waiting.REQUEST: 0.0, Waiting.HEAD: HEAD_SECONDS, Waiting.PEER: PEER_SECONDS}


class Held(Protocol):
    """A connection that has a place."""

    def give_way(self) -> None:
        """Close: the place is another one's now. What is under way here waits for the peer."""


@dataclass(slots=True)
class _Place:
    """A connection's place: what it waits for since when, and for how long its peer has kept us waiting before."""

    source: str
    waiting: Waiting | None
    since: float
    kept_seconds: float = 0.0

    def turn_to(self, waiting: Waiting | None, now: float) -> None:
        """It waits for something else from now on."""
        elapsed = now - self.since
        if self.waiting in _PEERS:
            self.kept_seconds += elapsed
        elif self.waiting is Waiting.REQUEST and elapsed >= IDLE_SECONDS:
            self.kept_seconds = 0.0
        self.waiting, self.since = waiting, now

    @property
    def waits_since(self) -> float:
        """Since when it would have waited, had all that its peer kept us waiting with been in one piece."""
        return self.since - self.kept_seconds if self.waiting in _PEERS else self.since


class ConnectionPlaces:
    """The places of one listener's connections.

    Where none is left, a connection is closed that waits for its peer: one without a request first, then one whose head
    is late, then one whose body or reader is, each longer than it is left alone. Of these it is one of the address that
    holds most, the one that has waited longest. A request that is with us is never given up for another connection.

    How long it has waited is counted over all requests of a connection since it was idle for `IDLE_SECONDS`: else one
    that begins each request behind the one before would never be late, and would keep its place for good.

    Args:
        most: how many connections there may be.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self.most = most
        self._monotonic = monotonic
        self._most_of_one = max(1, most - most // OTHERS_SHARE)
        self._places: dict[Held, _Place] = {}
        self._held: Counter[str] = Counter()
        self._waiting: dict[Waiting, dict[str, dict[Held, float]]] = {waiting: {} for waiting in Waiting}

    def __len__(self) -> int:
        return len(self._places)

    def take(self, connection: Held, address: str) -> bool:
        """Give a new connection, which is idle, a place; False: there is none. One that has a place keeps it."""
        if connection in self._places:
            return True
        source = site_of(address)
        if self._held[source] >= self._most_of_one and source not in _OWN:
            has_room = self._close_own(source)
        else:
            has_room = len(self._places) < self.most or self._make_room(source)
        if has_room:
            self._settle(connection, source)
        return has_room

    def hand_over(self, connection: Held, other: Held) -> None:
        """Give the place of a connection, if it has one still, to what stands for the connection from now on."""
        place = self._places.get(connection)
        if place is not None:
            self.leave(connection)
            self._settle(other, place.source)

    def leave(self, connection: Held) -> None:
        """A connection has ended, and needs no place; one that has none changes nothing."""
        self.note(connection, None)
        place = self._places.pop(connection, None)
        if place is not None:
            self._held[place.source] -= 1
            if not self._held[place.source]:
                del self._held[place.source]

    def note(self, connection: Held, waiting: Waiting | None) -> None:
        """From now on a connection waits for this; None: its request is with us."""
        place = self._places.get(connection)
        if place is None:
            return
        if place.waiting is not None:
            of_waiting = self._waiting[place.waiting]
            del of_waiting[place.source][connection]
            if not of_waiting[place.source]:
                del of_waiting[place.source]
        place.turn_to(waiting, self._monotonic())
        if waiting is not None:
            self._waiting[waiting].setdefault(place.source, {})[connection] = place.waits_since

    def _settle(self, connection: Held, source: str) -> None:
        self._places[connection] = _Place(source, None, self._monotonic())
        self._held[source] += 1
        self.note(connection, Waiting.REQUEST)

    def _make_room(self, source: str) -> bool:
        """Close a connection of the address that holds most; of this one, where no other holds more."""
        if any(self._close_greediest(waiting, source) for waiting in (Waiting.REQUEST, Waiting.HEAD)):
            return True
        return self._close_for_fewer(source)

    def _close_own(self, source: str) -> bool:
        """Close a connection of an address for another one of its; never for want of patience with a body."""
        return any(self._close_longest(waiting, source) for waiting in (Waiting.REQUEST, Waiting.HEAD))

    def _close_greediest(self, waiting: Waiting, source: str) -> bool:
        greediest = self._greediest(waiting, source)
        return self._close_longest(waiting, greediest if self._held[greediest] > self._held[source] else source)

    def _close_for_fewer(self, source: str) -> bool:
        """Close one whose body or reader is slow, of an address that will not hold fewer than this one thereby.

        Else cameras that are all slow would take each other's places, and none would ever finish.
        """
        greediest = self._greediest(Waiting.PEER, source)
        return self._held[greediest] - 1 > self._held[source] and self._close_longest(Waiting.PEER, greediest)

    def _greediest(self, waiting: Waiting, source: str) -> str:
        """The address that holds most, of those with one that waits for this; `source` where there is none.

        Where none of its has waited for too long yet, nobody else's is closed either: a flood that has just come would
        cost the slow ones before it their places.
        """
        return max(self._waiting[waiting], key=self._held.__getitem__, default=source)

    def _close_longest(self, waiting: Waiting, source: str) -> bool:
        """Close the connection of an address that has waited longest; False: none has for too long."""
        of_source = self._waiting[waiting].get(source)
        if of_source is None:
            return False
        longest = min(of_source, key=of_source.__getitem__)
        if self._monotonic() - of_source[longest] < _PATIENCE_SECONDS[waiting]:
            return False
        self.leave(longest)
        longest.give_way()
        return True
