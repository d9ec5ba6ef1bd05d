"""Passwords: which are taken, how they are kept, and that they take nothing from others."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable

import pytest

from cloud_server.errors import QueueFullError, WeakPasswordError
from cloud_server.operators.passwords import NICENESS, WAITING_MAX, Passwords, require_strong

GOOD = "rain falls on blue roofs"


def hashing(scenario: Callable[[Passwords], Awaitable[None]]) -> None:
    async def run() -> None:
        passwords = Passwords()
        try:
            await scenario(passwords)
        finally:
            passwords.close()

    asyncio.run(run())


def test_only_the_password_that_was_set_is_right_and_its_text_is_not_kept() -> None:
    async def scenario(passwords: Passwords) -> None:
        stored = await passwords.hashed(GOOD)
        assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
        assert GOOD not in stored
        assert await passwords.is_right(GOOD, stored)
        assert not await passwords.is_right(GOOD + " ", stored)

    hashing(scenario)


def test_what_looks_the_same_is_the_same_password() -> None:
    async def scenario(passwords: Passwords) -> None:
        assert await passwords.is_right("cafe\u0301 at the harbour", await passwords.hashed("caf\u00e9 at the harbour"))

    hashing(scenario)


@pytest.mark.parametrize("stored", [None, "", "no hash at all"])
def test_nothing_is_right_where_no_password_was_set(stored: str | None) -> None:
    async def scenario(passwords: Passwords) -> None:
        assert not await passwords.is_right("", stored)
        assert not await passwords.is_right(GOOD, stored)

    hashing(scenario)


def test_two_operators_with_one_password_have_different_hashes() -> None:
    async def scenario(passwords: Passwords) -> None:
        assert await passwords.hashed(GOOD) != await passwords.hashed(GOOD)

    hashing(scenario)


def test_more_than_some_are_turned_away_instead_of_waiting() -> None:
    async def scenario(passwords: Passwords) -> None:
        waiting = [asyncio.create_task(passwords.hashed(GOOD)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await passwords.hashed(GOOD)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert await passwords.hashed(GOOD)

    hashing(scenario)


def test_hashes_are_computed_behind_everything_else() -> None:
    async def scenario(passwords: Passwords) -> None:
        await passwords.hashed(GOOD)
        (thread,) = (each for each in threading.enumerate() if each.name.startswith("passwords"))
        assert thread.native_id is not None
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == NICENESS

    hashing(scenario)


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("elevenchars", "at least 12"),
        ("x" * 129, "at most 128"),
        ("abababababababab", "different"),
        ("ada-dctwire-password", "everybody knows"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(password: str, fault: str) -> None:
    with pytest.raises(WeakPasswordError, match=fault):
        require_strong(password, "ada")


@pytest.mark.parametrize("password", [GOOD, "twelve chars", "ada and 11 friends"])
def test_a_password_of_some_words_is_taken(password: str) -> None:
    require_strong(password, "ada")
