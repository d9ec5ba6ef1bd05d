"""Operators' passwords: which are taken, and argon2 (RFC 9106) on a thread of its own. The one door to argon2.

A hash costs 64 MiB and a tenth of a second by design. So that no number of logins takes cores from frames, one thread
computes them, at the lowest priority the system has, and only so many wait for it.
"""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloud_server.errors import QueueFullError, WeakPasswordError

T = TypeVar("T")
LENGTH_MIN, LENGTH_MAX = 12, 128
DIFFERENT_MIN = 6
"""How many different characters a password has at least."""
WAITING_MAX = 16
"""How many logins may wait for the thread."""
NICENESS = 19
TIME_COST, MEMORY_KIB, LANES = 3, 64 * 1024, 1
"""RFC 9106's second recommendation, but for its four lanes: those would be four threads that take cores from frames."""


class Passwords:
    """Hashes passwords and checks them, one after the other."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._thread = ThreadPoolExecutor(1, "passwords", _yield_to_others)
        self._waiting = 0
        self._nobodys: str | None = None

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def hashed(self, password: str) -> str:
        """What is stored of a password.

        Raises:
            QueueFullError: too many wait.
        """
        return await self._in_turn(lambda: self._argon2.hash(_normal(password)))

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Whether a password is the one that was stored; without one the answer is no, and takes as long.

        Raises:
            QueueFullError: too many wait.
        """
        return await self._in_turn(lambda: self._verify(password, stored))

    def _verify(self, password: str, stored: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._argon2.hash("")
        try:
            return (
                self._argon2.verify(self._nobodys if stored is None else stored, _normal(password))
                and stored is not None
            )
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise QueueFullError(f"{WAITING_MAX} logins wait already")
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._thread.submit(work))
        finally:
            self._waiting -= 1


def require_strong(password: str, operator: str) -> None:
    """Check that a password is hard to guess: long, of various characters, and not the operator's name with something.

    Raises:
        WeakPasswordError: it is not; says what is missing.
    """
    normal = _normal(password)
    if len(normal) < LENGTH_MIN:
        raise WeakPasswordError(f"a password has at least {LENGTH_MIN} characters; some words in a row are good ones")
    if len(normal) > LENGTH_MAX:
        raise WeakPasswordError(f"a password has at most {LENGTH_MAX} characters")
    if len(set(normal.lower())) < DIFFERENT_MIN:
        raise WeakPasswordError(f"a password has at least {DIFFERENT_MIN} different characters")
    rest = normal.lower().replace(operator.lower(), "").replace("dctwire", "").replace("password", "")
    if len(rest) < LENGTH_MIN // 2:
        raise WeakPasswordError("a password is more than a name that everybody knows")


def _normal(password: str) -> str:
    """One form for what looks the same, whichever keyboard it was typed on (NIST SP 800-63B 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _yield_to_others() -> None:
    if sys.platform == "linux":  # where threads have a priority of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
