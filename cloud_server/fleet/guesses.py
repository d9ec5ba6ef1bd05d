"""How many wrong secrets one address may send: a token bucket each, as many as there is room for.

Only wrong ones cost anything, so any number of devices behind one address enrol, also beside a guesser as long as the
bucket is not empty. Attempts that share a bucket take turns: else many at once would all see it full.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from weakref import WeakValueDictionary

from cloud_server.errors import GuessingError
from cloud_server.fleet.quota import Rate
from shared.errors import PeerError

WRONG_AT_ONCE, WRONG_PER_SECOND = 30, 1.0
TURN_MAX_SECONDS = 10.0
ADDRESSES_MAX = 10_000
"""How many addresses have a bucket of their own while it is not full; all further ones share one."""
IPV6_SITE_BITS = 56
"""What one customer of a provider has at least: guesses from all of it count together."""
_FURTHER = "further"


class Guesses:
    """The wrong secrets of one kind of late, by address; of this process alone.

    Args:
        monotonic: seconds on a clock that never goes back.
        wrong: the error that says of a secret that it is wrong.
        too_many: the error for those that are not looked at; it is told how many seconds to wait.
    """

    def __init__(self, monotonic: Callable[[], float], wrong: type[PeerError], too_many: type[GuessingError]) -> None:
        self._monotonic = monotonic
        self._wrong = wrong
        self._too_many = too_many
        self._rate = Rate(frames_per_second=WRONG_PER_SECOND, burst_frames=WRONG_AT_ONCE)
        self._full_at: dict[str, float] = {}
        self._prune_at = 0.0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, address: str) -> AsyncIterator[None]:
        """One attempt to use a secret; the error that calls it wrong, raised within, is counted.

        Raises:
            GuessingError: too many wrong ones came from this address, or so many at once that it is not our turn.
        """
        bucket = self._bucket(site_of(address))
        self._require_room(bucket)
        turn = self._turns.setdefault(bucket, asyncio.Lock())
        try:
            async with asyncio.timeout(TURN_MAX_SECONDS):
                await turn.acquire()
        except TimeoutError as error:
            raise self._too_many(math.ceil(TURN_MAX_SECONDS)) from error
        try:
            self._require_room(bucket)
            yield
        except self._wrong:
            self._count(bucket)
            raise
        finally:
            turn.release()

    def count_wrong(self, address: str) -> None:
        """Count a secret that was looked up out of turn, as one that nobody can guess may be, and is wrong.

        Raises:
            GuessingError: too many wrong ones came from this address already; this one is not counted.
        """
        bucket = self._bucket(site_of(address))
        self._require_room(bucket)
        self._count(bucket)

    def __len__(self) -> int:
        """How many buckets are held."""
        return len(self._full_at)

    def _require_room(self, bucket: str) -> None:
        wait_seconds = self._rate.wait_seconds(self._filling_seconds(bucket), 1)
        if wait_seconds > 0:
            raise self._too_many(math.ceil(wait_seconds))

    def _count(self, wanted: str) -> None:
        bucket = self._bucket(wanted)  # there may be no room for this one any more
        self._full_at[bucket] = self._monotonic() + self._filling_seconds(bucket) + 1 / WRONG_PER_SECOND

    def _bucket(self, site: str) -> str:
        if len(self._full_at) >= ADDRESSES_MAX:
            self._prune(self._monotonic())
        return site if site in self._full_at or len(self._full_at) < ADDRESSES_MAX else _FURTHER

    def _prune(self, now: float) -> None:
        """Forget full buckets, once a second at most: going through all of them takes a millisecond."""
        if now >= self._prune_at:
            self._full_at = {one: at for one, at in self._full_at.items() if at > now}
            self._prune_at = now + 1

    def _filling_seconds(self, bucket: str) -> float:
        return max(0.0, self._full_at.get(bucket, 0.0) - self._monotonic())


def site_of(address: str) -> str:
    """Whose guesses count together: an IPv4 address, or an IPv6 network of 56 bits; what is neither, as it is."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip_network((ip, IPV6_SITE_BITS), strict=False))
    return str(ip)
