"""How operators come to sessions, and what ends these: on both databases, with a clock that the test moves."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloud_server.errors import (
    CodesTooOftenError,
    GuessedLoginsError,
    LoginError,
    NotFoundError,
    QueueFullError,
    RoleError,
    WeakPasswordError,
)
from cloud_server.fleet.guesses import WRONG_AT_ONCE
from cloud_server.open_storage import engine_of
from cloud_server.operators.accounts import Caller, Operators
from cloud_server.operators.administration import Administration
from cloud_server.operators.logins import CODE_SECONDS, CODES_AT_ONCE, Logins, Visitor
from cloud_server.operators.passwords import WAITING_MAX, Passwords
from cloud_server.operators.roles import Role
from cloud_server.operators.sessions import Lifetime, Session, Sessions
from cloud_server.operators.slowing import FREE
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import logins as rows
from cloud_server.storage.witness import Witness, unwitnessed
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.server import settings

PASSWORD, OTHER = "rain falls on blue roofs", "seven quiet harbours"
HERE = Visitor("192.0.2.1", "a browser", "request-1")
ELSEWHERE = Visitor("198.51.100.7", "", "request-2")
LIFETIME = Lifetime(most_seconds=1000, idle_seconds=100)


def nobody(_token_id: str) -> Witness:
    return unwitnessed


class Stand:
    """Logins of one process over a database, the operators ada (an admin) and ben, and a clock to be moved."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self.now = 1_000_000.0
        self.database = database
        self.passwords = passwords
        clock = lambda: self.now  # noqa: E731
        self.operators = Operators(database, clock, clock)
        self.administration = Administration(database, self.operators, clock)
        self.sessions = Sessions(database, LIFETIME, clock)
        self.logins = Logins(database, passwords, LIFETIME, clock, clock)

    def caller(self, name: str = "ada", role: Role = Role.ADMIN, token_id: str = "") -> Caller:
        return Caller(name, role, token_id, HERE.address)

    async def set_password(self, name: str = "ada", password: str = PASSWORD) -> None:
        await self.logins.set_password(self.caller("root"), name, password, None, unwitnessed)

    async def begin(self, name: str = "ada", password: str = PASSWORD) -> str:
        return (await self.logins.by_password(name, password, HERE)).token

    async def find(self, token: str) -> Session | None:
        return await self.sessions.find(token, HERE.address)


def standing(engine: Engine, folder: Path, scenario: Callable[[Stand], Awaitable[None]]) -> None:
    async def run() -> None:
        connector = engine_of(settings(folder, **engine.settings(folder)))
        migrate(connector)
        database, passwords = Database(connector, asyncio.get_running_loop(), 30), Passwords()
        stand = Stand(database, passwords)
        try:
            await stand.administration.add("ada", Role.ADMIN, unwitnessed)
            await stand.administration.add("ben", Role.VIEWER, unwitnessed)
            await scenario(stand)
        finally:
            passwords.close()
            await asyncio.to_thread(database.close)

    asyncio.run(run())


def test_a_session_is_its_operators_with_the_role_of_now(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password()
        token = await stand.begin()
        session = await stand.find(token)
        assert session is not None
        assert (session.caller.name, session.caller.role) == ("ada", Role.ADMIN)
        assert await stand.find(token + "x") is None
        (row,) = await stand.sessions.of("ada")
        assert (row.address, row.browser, row.begun_at) == (HERE.address, HERE.browser, stand.now)
        assert token.encode() not in row.sha256

    standing(engine, tmp_path, scenario)


def test_a_session_ends_when_it_is_idle_and_at_last_in_any_case(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password()
        used, idle = await stand.begin(), await stand.begin()
        for _ in range(16):
            stand.now += 60
            assert await stand.find(used) is not None
        assert await stand.find(idle) is None
        stand.now += 40
        assert await stand.find(used) is None
        await stand.begin()
        assert len(await stand.sessions.of("ada")) == 1

    standing(engine, tmp_path, scenario)


@pytest.mark.parametrize("change", [{"role": Role.VIEWER, "is_disabled": None}, {"role": None, "is_disabled": True}])
def test_another_role_and_being_disabled_end_sessions_and_codes(
    engine: Engine, tmp_path: Path, change: dict[str, Role | bool | None]
) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.administration.add("root", Role.ADMIN, unwitnessed)
        await stand.set_password()
        token = await stand.begin()
        code = await stand.logins.issue_code(stand.caller(), unwitnessed)
        await stand.administration.change("ada", unwitnessed, **change)  # type: ignore[arg-type]
        assert await stand.find(token) is None
        with pytest.raises(LoginError):
            await stand.logins.by_code(code.code, HERE)

    standing(engine, tmp_path, scenario)


def test_who_is_disabled_logs_in_no_more_and_again_once_enabled(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password("ben")
        await stand.administration.change("ben", unwitnessed, role=None, is_disabled=True)
        with pytest.raises(LoginError):
            await stand.begin("ben")
        await stand.administration.change("ben", unwitnessed, role=None, is_disabled=False)
        await stand.begin("ben")

    standing(engine, tmp_path, scenario)


def test_a_code_lets_in_once_within_ten_minutes_and_the_newest_alone(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        first = await stand.logins.issue_code(stand.caller(), unwitnessed)
        second = await stand.logins.issue_code(stand.caller(), unwitnessed)
        with pytest.raises(LoginError):
            await stand.logins.by_code(first.code, HERE)
        begun = [stand.logins.by_code(second.code, HERE) for _ in range(2)]
        outcomes = await asyncio.gather(*begun, return_exceptions=True)
        assert sorted(type(each).__name__ for each in outcomes) == ["Begun", "LoginError"]
        late = await stand.logins.issue_code(stand.caller(), unwitnessed)
        stand.now += CODE_SECONDS
        with pytest.raises(LoginError):
            await stand.logins.by_code(late.code, HERE)

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_ten_codes_a_minute_are_made_for_an_operator_and_no_other_operator_waits(
    engine: Engine, tmp_path: Path
) -> None:
    async def scenario(stand: Stand) -> None:
        for _ in range(CODES_AT_ONCE):
            last = await stand.logins.issue_code(stand.caller(), unwitnessed)
        with pytest.raises(CodesTooOftenError) as refused:
            await stand.logins.issue_code(stand.caller(), unwitnessed)
        assert refused.value.retry_after_seconds == 6
        await stand.logins.issue_code(stand.caller("ben", Role.VIEWER), unwitnessed)
        assert await stand.logins.by_code(last.code, HERE), "a refusal ends no code"
        stand.now += 6
        await stand.logins.issue_code(stand.caller(), unwitnessed)

    standing(engine, tmp_path, scenario)


def test_revoking_a_token_ends_the_sessions_and_codes_that_came_of_it(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        issued = await stand.administration.issue("ada", 1, unwitnessed)
        calling = stand.caller(token_id=issued.row.id)
        await stand.set_password()
        by_password = await stand.begin()
        by_code = await stand.logins.by_code((await stand.logins.issue_code(calling, unwitnessed)).code, HERE)
        open_code = await stand.logins.issue_code(calling, unwitnessed)
        await stand.administration.revoke(stand.caller(), issued.row.id, nobody)
        assert await stand.find(by_code.token) is None
        with pytest.raises(LoginError):
            await stand.logins.by_code(open_code.code, HERE)
        assert await stand.find(by_password) is not None

    standing(engine, tmp_path, scenario)


def test_another_process_finds_the_session_and_knows_of_its_end(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password()
        token = await stand.begin()
        other = Sessions(stand.database, LIFETIME, lambda: stand.now)
        assert await other.find(token, HERE.address) is not None
        (row,) = await stand.sessions.of("ada")
        await stand.sessions.end("ada", row.id, unwitnessed)
        assert await other.find(token, HERE.address) is None
        with pytest.raises(NotFoundError):
            await other.end("ada", row.id, unwitnessed)

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_a_password_is_set_by_its_operator_or_an_admin(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        ben = stand.caller("ben", Role.VIEWER)
        with pytest.raises(RoleError):
            await stand.logins.set_password(ben, "ada", PASSWORD, None, unwitnessed)
        with pytest.raises(NotFoundError):
            await stand.logins.set_password(stand.caller(), "nobody", PASSWORD, None, unwitnessed)
        with pytest.raises(WeakPasswordError):
            await stand.logins.set_password(ben, "ben", "short", None, unwitnessed)
        await stand.logins.set_password(ben, "ben", PASSWORD, None, unwitnessed)
        with pytest.raises(LoginError, match="current"):
            await stand.logins.set_password(ben, "ben", OTHER, None, unwitnessed)
        await stand.logins.set_password(ben, "ben", OTHER, PASSWORD, unwitnessed)
        await stand.logins.set_password(stand.caller(), "ben", PASSWORD, None, unwitnessed)
        await stand.begin("ben")

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_every_refusal_says_the_same(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password("ada")
        said = set()
        for name in ("ada", "ben", "nobody", "x" * 500):
            with pytest.raises(LoginError) as refused:
                await stand.begin(name, "not the right password")
            said.add(str(refused.value))
        assert said == {"name and password do not match"}

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_guessers_of_codes_are_stopped_at_their_address_and_a_good_code_lets_in_while_they_guess(
    engine: Engine, tmp_path: Path
) -> None:
    async def scenario(stand: Stand) -> None:
        for _ in range(WRONG_AT_ONCE):
            with pytest.raises(LoginError):
                await stand.logins.by_code("wrong", HERE)
        with pytest.raises(GuessedLoginsError):
            await stand.logins.by_code("wrong", HERE)
        with pytest.raises(LoginError):
            await stand.logins.by_code("wrong", ELSEWHERE)
        code = (await stand.logins.issue_code(stand.caller(), unwitnessed)).code
        assert await stand.logins.by_code(code, HERE)

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_a_good_code_waits_for_no_password_that_is_guessed_at_its_address(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        code = (await stand.logins.issue_code(stand.caller(), unwitnessed)).code
        guesses = [asyncio.create_task(stand.begin(f"name-{number}", "wrong")) for number in range(60)]
        await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
        await stand.logins.by_code(code, HERE)
        assert not all(guess.done() for guess in guesses)
        for guess in guesses:
            guess.cancel()
        await asyncio.gather(*guesses, return_exceptions=True)

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_a_password_that_was_replaced_while_it_was_checked_lets_nobody_in(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password()
        row = await stand.database.read(lambda transaction: rows.login_of(transaction, "ada"))
        assert row is not None
        await stand.set_password(password=OTHER)
        with pytest.raises(LoginError):
            await stand.logins._begin("ada", HERE, row.hash)

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_a_right_password_that_nobody_looked_at_slows_its_owner_by_nothing(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password()
        waiting = [asyncio.create_task(stand.passwords.hashed(PASSWORD)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        for _ in range(FREE + 1):
            with pytest.raises(QueueFullError):
                await stand.begin()
        await asyncio.gather(*waiting)
        for _ in range(WRONG_AT_ONCE):
            stand.logins._passwords_guessed.count_wrong(HERE.address)
        for _ in range(FREE + 1):
            with pytest.raises(GuessedLoginsError):
                await stand.begin()
        assert await stand.logins.by_password("ada", PASSWORD, ELSEWHERE)

    standing(engine, tmp_path, scenario)


@pytest.mark.stateless
def test_who_is_logged_in_changes_the_password_while_others_guess_it(engine: Engine, tmp_path: Path) -> None:
    async def scenario(stand: Stand) -> None:
        await stand.set_password()
        for _ in range(FREE):
            with pytest.raises(LoginError):
                await stand.begin(password="wrong")
        with pytest.raises(GuessedLoginsError):
            await stand.begin()
        await stand.logins.set_password(stand.caller(), "ada", OTHER, PASSWORD, unwitnessed)
        for _ in range(FREE):
            with pytest.raises(LoginError):
                await stand.logins.set_password(stand.caller(), "ada", PASSWORD, "wrong", unwitnessed)
        with pytest.raises(GuessedLoginsError):
            await stand.logins.set_password(stand.caller(), "ada", PASSWORD, OTHER, unwitnessed)

    standing(engine, tmp_path, scenario)
