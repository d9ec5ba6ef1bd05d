"""Whom a token lets in, between two looks at what other processes changed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloud_server.errors import GuessedOperatorTokensError, OperatorTokenError
from cloud_server.fleet.guesses import WRONG_AT_ONCE
from cloud_server.operators.accounts import DAY_SECONDS, Operators
from cloud_server.operators.administration import Administration
from cloud_server.operators.secrets import OWN, TOKEN_DAYS
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.witness import Witness, unwitnessed
from tests.cloud_server.harness.late_reads import LateReads

TOKEN, ADDRESS = "a-token", "192.0.2.1"


def nobody(_token_id: str) -> Witness:
    """Takes note of what becomes of a token."""
    return unwitnessed


class Stand:
    """Operators on a database in a folder, the first admin among them, and a clock to be moved."""

    def __init__(self, folder: Path) -> None:
        engine = open_engine(None, folder, 5)
        migrate(engine)
        self.now = 1000.0
        self.database = LateReads(engine, asyncio.get_running_loop(), 10)
        self.operators = Operators(self.database, lambda: self.now, lambda: self.now)

    async def revoke(self) -> None:
        """End the admin's token."""
        caller = await self.operators.authenticate(TOKEN, ADDRESS)
        await Administration(self.database, self.operators, lambda: self.now).revoke(caller, OWN, nobody)

    async def guess(self) -> None:
        """Use up what guessers may send from the admin's address."""
        for _ in range(WRONG_AT_ONCE):
            with pytest.raises(OperatorTokenError):
                await self.operators.authenticate("wrong", ADDRESS)


def standing(folder: Path, scenario: Callable[[Stand], Awaitable[None]]) -> None:
    """Run a scenario with its stand."""

    async def run() -> None:
        stand = Stand(folder)
        await stand.operators.make_first_admin(TOKEN)
        await stand.operators.follow()
        await scenario(stand)
        await asyncio.to_thread(stand.database.close)

    asyncio.run(run())


def test_a_token_that_is_ended_while_all_tokens_are_read_lets_nobody_in(tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        stand.database.meanwhile = stand.revoke
        await stand.operators.follow()
        with pytest.raises(OperatorTokenError, match="was revoked"):
            await stand.operators.authenticate(TOKEN, ADDRESS)

    standing(tmp_path, scenario)


def test_a_token_expires_on_the_second_whenever_the_database_was_looked_at(tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        stand.now += TOKEN_DAYS * DAY_SECONDS - 1
        await stand.operators.authenticate(TOKEN, ADDRESS)
        stand.now += 1
        with pytest.raises(OperatorTokenError, match="expired"):
            await stand.operators.authenticate(TOKEN, ADDRESS)

    standing(tmp_path, scenario)


def test_a_right_token_never_waits_for_guessers_at_its_address_whatever_is_changed(tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        admin = await stand.operators.authenticate(TOKEN, ADDRESS)
        administration = Administration(stand.database, stand.operators, lambda: stand.now)
        await stand.guess()
        issued = await administration.issue("admin", 1, unwitnessed)
        await stand.operators.authenticate(issued.token, ADDRESS)
        for _ in range(2):  # the second time, nothing is changed
            await administration.revoke(admin, issued.row.id, nobody)
            assert await stand.operators.authenticate(TOKEN, ADDRESS) == admin
        await administration.change("admin", unwitnessed, role=None, is_disabled=False)
        assert await stand.operators.authenticate(TOKEN, ADDRESS) == admin
        with pytest.raises(GuessedOperatorTokensError):
            await stand.operators.authenticate(issued.token, ADDRESS)

    standing(tmp_path, scenario)


def test_a_token_that_is_ended_while_it_is_looked_up_is_not_remembered(tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        strange = Operators(stand.database, lambda: stand.now, lambda: stand.now)
        administration = Administration(stand.database, strange, lambda: stand.now)
        admin = await stand.operators.authenticate(TOKEN, ADDRESS)
        stand.database.meanwhile = lambda: administration.revoke(admin, OWN, nobody)
        await strange.authenticate(TOKEN, ADDRESS)
        with pytest.raises(OperatorTokenError, match="was revoked"):
            await strange.authenticate(TOKEN, ADDRESS)

    standing(tmp_path, scenario)
