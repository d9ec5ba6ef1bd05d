"""Signed metadata in a real database: two who build on the same state cannot both show theirs."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError

from cloud_server.cli.publishing import initialise_trust
from cloud_server.errors import ConstraintError, NotFoundError, OnlineKeyMissingError
from cloud_server.open_storage import engine_of
from cloud_server.registry.server_keys import ServerKeys
from cloud_server.registry.signed_files import FAMILIES_A_ROUND, SignedFiles, show
from cloud_server.registry.tuf_files import TufFiles
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.migrations.versions import v0013
from cloud_server.storage.rows.tuf_files import read_file
from cloud_server.storage.schema import tuf_files
from shared.trust import (
    ONLINE_ROLES,
    NotPublishedError,
    OutdatedError,
    Repository,
    Role,
    RoleChange,
    RootFacts,
    Target,
    TrustClient,
    TrustError,
    load_key,
    load_keys,
    new_key,
    next_root,
    next_targets,
    parse_targets,
)
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.server import settings

NOW = datetime.now(UTC)
T = TypeVar("T")


class Site:
    """The signed files of one server on a real database, a clock that a test moves, and the operator's keys."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.connector = engine_of(settings(directory, **engine.settings(directory)))
        migrate(self.connector)
        initialise_trust(directory / "offline", directory, NOW)
        self.keys, self._online = directory / "offline", directory / "keys"
        self.now = NOW
        self.run(lambda files, _tuf: files.initialise())

    def run(self, work: Callable[[SignedFiles, TufFiles], Awaitable[T]]) -> T:
        """Do something as a server would that has just started."""

        async def alone() -> T:
            database = Database(self.connector, asyncio.get_running_loop(), 10)
            files = SignedFiles(database, ServerKeys(self._online), self.seconds)
            try:
                return await work(files, TufFiles(database, files, self.seconds))
            finally:
                await asyncio.to_thread(database.close)

        return asyncio.run(alone())

    def read(self, name: str) -> bytes:
        """Fetch a file as a device would."""
        return self.run(lambda _files, tuf: tuf.read(name))

    def fetch(self, name: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        """The same, as `TrustClient` wants it."""
        try:
            yield self.read(name)
        except NotFoundError as error:
            raise NotPublishedError(name) from error

    def seconds(self) -> float:
        return self.now.timestamp()

    def repository(self, transaction: Connection, family: str = "digits") -> Repository:
        """A family's repository as a transaction sees it."""
        return ServerKeys(self._online).repository(cache(partial(read_file, transaction)), family)

    def signed(self, current: bytes | None, number: int, family: str = "digits") -> bytes:
        """Targets metadata with one more entry."""
        target = Target(f"{family}/{number}.json", str(number).encode(), {})
        return next_targets(family, current, [load_key(self.keys, Role.TARGETS)], self.now, added=target)

    def publish(self, number: int, family: str = "digits") -> None:
        """Show one more entry."""
        with self.connector.begin() as transaction:
            repository = self.repository(transaction, family)
            offered = self.signed(repository.targets(), number, family)
            change = repository.publish(offered, {f"{family}/{number}.json": str(number).encode()}, (), self.now)
            show(transaction, family, change)

    def rotate(self, role: Role) -> Path:
        """Put a new key in the place of an online role's, and publish the root that says so; returns its file."""
        first = (self.keys / "root.json").read_bytes()
        file = new_key(self._online, role)
        added, gone = [file.write().public_key], RootFacts.of(first).roles[role].keyids
        root = next_root(first, load_keys(self.keys, Role.ROOT), self.now, RoleChange(role, added, gone))
        self.run(lambda files, _tuf: files.add_root(root, lambda *_: None))
        return file.path

    def missing_keys(self) -> tuple[str, ...]:
        """The online keys that a server finds missing."""

        async def look(files: SignedFiles, _tuf: TufFiles) -> tuple[str, ...]:
            await files.look()
            return files.missing_keys

        return self.run(look)

    def names(self) -> list[str]:
        with self.connector.connect() as connection:
            return list(connection.execute(select(tuf_files.c.name)).scalars())


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, engine)
    yield made
    made.connector.dispose()


@pytest.fixture
def outgrown_site(outgrown: Outgrown, tmp_path: Path) -> Iterator[Site]:
    """On a real PostgreSQL, where each statement sees what others have committed before it."""
    made = Site(tmp_path, outgrown)
    yield made
    made.connector.dispose()


def test_a_reader_is_told_of_one_state_while_another_process_publishes(outgrown_site: Site) -> None:
    site = outgrown_site
    site.publish(1)
    with site.connector.begin() as mine:
        repository = site.repository(mine)
        before = repository.targets()
        offered = site.signed(before, 2)
        site.publish(3)
        assert repository.targets() == before
        repository.check(offered, (), NOW)
        with pytest.raises(OutdatedError, match="sign again"):
            site.repository(mine).check(offered, ["digits/3.json"], NOW)


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_who_publish_on_one_state_the_later_changes_nothing(outgrown_site: Site, is_first: bool) -> None:
    site = outgrown_site
    if not is_first:
        site.publish(1)
    with contextlib.ExitStack() as transactions:
        mine = transactions.enter_context(site.connector.connect())
        repository = site.repository(mine)
        offered = site.signed(repository.targets(), 2)
        site.publish(3)
        with pytest.raises(IntegrityError if is_first else ConstraintError):
            show(mine, "digits", repository.publish(offered, {"digits/2.json": b"2"}, (), NOW))
    with site.connector.begin() as transaction:
        current = site.repository(transaction).targets()
    assert current is not None and "digits/3.json" in parse_targets(current).signed.targets


def test_a_family_that_nobody_published_for_has_nothing(site: Site) -> None:
    for name in ("letters/timestamp.json", "letters/1.targets.json"):
        with pytest.raises(NotFoundError):
            site.read(name)
    assert site.names() == ["1.root.json"], "asking makes nothing"


def test_an_idle_check_always_finds_a_fresh_timestamp(site: Site) -> None:
    """Also where the server was off for longer than timestamps live, and nobody has signed them anew since."""
    site.publish(1)
    site.now = NOW + timedelta(days=40)
    data = site.read("digits/timestamp.json")
    assert site.read("digits/timestamp.json") == data
    with site.connector.begin() as transaction:
        assert site.repository(transaction).refresh(site.now) is None


def test_a_round_signs_a_bounded_number_of_families_and_rounds_reach_them_all(site: Site) -> None:
    families = [f"f{number}" for number in range(FAMILIES_A_ROUND + 5)]
    for family in families:
        site.publish(1, family)
    site.now = NOW + timedelta(hours=13)

    def due() -> int:
        with site.connector.begin() as transaction:
            repositories = [site.repository(transaction, family) for family in families]
            return sum(repository.refresh(site.now) is not None for repository in repositories)

    counts = [due()]
    for _ in range(2):
        site.run(lambda files, _tuf: files.refresh())
        counts.append(due())
    assert counts == [len(families), 5, 0]


def test_after_a_new_root_with_the_same_online_keys_timestamps_are_signed_once_more(site: Site) -> None:
    site.publish(1)
    first = (site.keys / "root.json").read_bytes()
    root = next_root(first, load_keys(site.keys, Role.ROOT), NOW)
    site.run(lambda files, _tuf: files.add_root(root, lambda *_: None))
    site.run(lambda files, _tuf: files.refresh())
    timestamp = site.read("digits/timestamp.json")
    [row] = site.run(lambda files, _tuf: files.families())
    assert row.expires_at == pytest.approx((NOW + timedelta(days=1)).timestamp(), abs=1)
    site.run(lambda files, _tuf: files.refresh())
    assert site.read("digits/timestamp.json") == timestamp, "once is enough"


@pytest.mark.parametrize("role", ONLINE_ROLES)
def test_who_lacks_a_new_key_reads_everything_puts_nothing_off_and_signs_once_it_is_there(
    site: Site, tmp_path: Path, role: Role
) -> None:
    site.publish(1)
    path = site.rotate(role)
    elsewhere = path.rename(tmp_path / path.name)
    before = site.read("digits/timestamp.json")
    assert site.missing_keys() == (path.stem,)
    with pytest.raises(OnlineKeyMissingError, match=f"no key {path.stem.partition('-')[2]}.*no restart is needed"):
        site.run(lambda files, _tuf: files.refresh())
    assert [row.renew_at for row in site.run(lambda files, _tuf: files.families())] == [0.0]
    assert site.run(lambda files, _tuf: files.targets("digits")) and site.read("digits/timestamp.json") == before

    path.write_bytes(elsewhere.read_bytes()[:40])
    assert site.missing_keys() == (path.stem,), "it is half-copied"
    path.write_bytes(elsewhere.read_bytes())
    assert site.missing_keys() == ()
    site.run(lambda files, _tuf: files.refresh())
    assert site.read("digits/timestamp.json") != before


@pytest.mark.parametrize("role", ONLINE_ROLES)
def test_a_file_that_is_no_key_is_told_of_once_and_passed_over(
    site: Site, lines: list[MutableMapping[str, Any]], role: Role
) -> None:
    path = site.rotate(role)
    for number, junk in enumerate((b"", b"no key", path.read_bytes()[:40])):
        path.with_name(f"{role}-0{number}.pem").write_bytes(junk)
    path.with_name(f"{role}-03.pem").mkdir()
    path.with_name(f"{role}-04.uri").write_bytes(b"[]")
    lines.clear()

    async def look_and_sign(files: SignedFiles, _tuf: TufFiles) -> tuple[str, ...]:
        await files.look()
        await files.refresh()
        await files.look()
        return files.missing_keys

    assert site.run(look_and_sign) == ()
    told = [line["cause"] for line in lines if line["event"] == "online-key-file-unusable"]
    assert [cause.partition(":")[0] for cause in told] == [
        str(path.with_name(f"{role}-0{number}.{ending}")) for number, ending in enumerate(("pem",) * 4 + ("uri",))
    ]


def test_a_server_starts_with_the_newest_keys_or_the_first_ones_and_with_no_others(site: Site) -> None:
    path = site.rotate(Role.TIMESTAMP)
    first = path.with_name("timestamp.pem")
    key = first.read_bytes()
    first.unlink()
    site.run(lambda files, _tuf: files.initialise())
    path.unlink()
    with pytest.raises(TrustError, match="timestamp key is not the one"):
        site.run(lambda files, _tuf: files.initialise())
    first.write_bytes(key)
    site.run(lambda files, _tuf: files.initialise())


def test_what_all_families_list_is_known_at_once(site: Site) -> None:
    site.publish(1)
    site.publish(7, "letters")
    site.publish(2)
    assert site.run(lambda files, _tuf: files.listed()) == {"digits/1.json", "digits/2.json", "letters/7.json"}


def test_what_was_listed_before_that_was_noted_is_noted_when_the_database_is_migrated(site: Site) -> None:
    site.publish(1)
    site.publish(7, "letters")
    with site.connector.begin() as connection:
        for table, column in (("tuf_families", "listed"), ("replicas", "missing_keys")):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        named = "family, timestamp_version, renew_at, expires_at, targets_expire_at"
        connection.execute(text(f"INSERT INTO tuf_families ({named}) VALUES ('damaged', 1, 0, 0, 0)"))
        with Operations.context(MigrationContext.configure(connection)):
            v0013.upgrade()
    assert site.run(lambda files, _tuf: files.listed()) == {"digits/1.json", "letters/7.json"}


def test_files_of_states_that_are_past_are_removed(site: Site) -> None:
    for number in range(1, 6):
        site.now += timedelta(minutes=1)
        site.publish(number)
    for _ in range(10):
        site.now += timedelta(days=5)
        site.run(lambda files, _tuf: files.refresh())
    kinds = [name.rpartition(".json")[0].rpartition(".")[2] for name in site.names()]
    assert [kinds.count(kind) for kind in ("root", "snapshot", "targets")] == [1, 2, 1]


def test_a_device_follows_over_every_change_of_a_family_and_is_not_told_of_others(site: Site, tmp_path: Path) -> None:
    site.publish(1)
    site.publish(7, "letters")
    root = (site.keys / "root.json").read_bytes()
    assert TrustClient(tmp_path / "device", root, site.fetch, "digits").download("digits/1.json").data == b"1"
    site.publish(2)
    device = TrustClient(tmp_path / "device", root, site.fetch, "digits")
    assert device.download("digits/2.json").data == b"2"
    assert b"letters" not in (tmp_path / "device" / "targets.json").read_bytes()


def test_the_first_expiry_of_each_role_is_known_over_all_families(site: Site) -> None:
    async def look(files: SignedFiles, _tuf: TufFiles) -> dict[str, float]:
        await files.look()
        return files.expiries

    assert site.run(look).keys() == {"root"}
    site.publish(1)
    site.now = NOW + timedelta(hours=1)
    site.publish(1, "letters")
    days = {role: round((moment - NOW.timestamp()) / 86_400, 1) for role, moment in site.run(look).items()}
    assert days == {"root": 3650.0, "targets": 365.0, "online": 1.0}
