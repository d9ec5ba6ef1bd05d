"""The exchanges of one connection, in the order of their requests: which is arriving, which wait for an answer."""

from collections import deque
from collections.abc import Callable

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.exchange import Exchange


class ExchangeQueue:
    """Follows a connection's exchanges, and reports each once: when its request and its answer are complete, or lost.

    A client that pipelines may put two requests into one segment; the segment is then counted whole with the first.
    """

    __slots__ = ("_bodies", "_meter", "_unanswered", "arriving")

    def __init__(self, bodies: BodyMemory, meter: Callable[[Exchange], None]) -> None:
        self._bodies = bodies
        self._meter = meter
        self._unanswered: deque[Exchange] = deque()
        self.arriving: Exchange | None = None

    def __len__(self) -> int:
        """How many requests have begun to arrive, and are not answered completely."""
        return len(self._unanswered)

    @property
    def has_begun(self) -> bool:
        """Whether the request that is arriving is understood as one already."""
        return self.arriving is not None and self.arriving in self._unanswered

    @property
    def has_earlier(self) -> bool:
        """Whether a request from before the one that is arriving still waits for its answer."""
        return any(exchange is not self.arriving for exchange in self._unanswered)

    def open(self) -> Exchange:
        """The exchange that is arriving; a new one if none is."""
        if self.arriving is None:
            self.arriving = Exchange(self._bodies)
        return self.arriving

    def oldest(self) -> Exchange:
        """The exchange that is answered next, or was last and is not read; where there is none, the one arriving."""
        return self._unanswered[0] if self._unanswered else self.open()

    def begin_request(self) -> Exchange:
        """The first bytes of a request are understood as one; those of a request that has begun change nothing."""
        exchange = self.open()
        if not self.has_begun:
            self._unanswered.append(exchange)
        return exchange

    def end_request(self) -> None:
        """The request that is arriving has arrived."""
        arrived, self.arriving = self.arriving, None
        if arrived is not None and arrived not in self._unanswered:
            self._report(arrived)

    def end_answer(self) -> bool:
        """The oldest answer is written; True if the rest of its request is still arriving."""
        answered = self._unanswered.popleft()
        if answered is self.arriving:
            return True
        self._report(answered)
        return False

    def count_sent(self, size: int) -> None:
        """Count `size` bytes for the exchange that is being answered."""
        exchange = self._unanswered[0] if self._unanswered else self.arriving
        if exchange is not None:
            exchange.sent_bytes += size

    def lose(self) -> None:
        """The connection is gone: stop what is done for its requests, and report them."""
        if self.arriving is not None and self.arriving not in self._unanswered:
            self._report(self.arriving)
        for exchange in self._unanswered:
            exchange.lose()
        while self._unanswered:
            self._report(self._unanswered.popleft())

    def _report(self, exchange: Exchange) -> None:
        exchange.release()
        self._meter(exchange)
