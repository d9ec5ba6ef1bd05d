"""A server whose database knows one TUF repository for all families: it starts, and one command makes it whole."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, text
from sqlalchemy import Engine as Connector
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.cli.publishing import initialise_trust
from cloud_server.open_storage import engine_of
from cloud_server.storage.schema import assignments, bundles, fallbacks, metadata, tuf_files
from shared.bundle import Bundle, Fallback
from shared.errors import ChannelError
from shared.trust import OFFLINE_ROLES, Role, Signer, TrustError, load_key
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread, settings

NOW = datetime.now(UTC).replace(microsecond=0)
OLD = "0007"
PUBLISHED = {"a": ("digits", 1), "b": ("letters", 1), "c": ("digits", 2)}
"""Folders and what lies in them, in the order of publication: each is one more version of the one list."""


class OldServer:
    """One server's data, as the program left them that had one TUF repository for all families.

    Everything but the TUF files and the root is written by the program of today, whose rows have not changed; the
    tables are then made anew as they were, and what was in them is written back.
    """

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.directory, self.engine = directory, engine
        data, keys = directory / "data", directory / "keys"
        initialise_trust(keys, data, NOW)
        self._signers = {role: load_key(keys if role in OFFLINE_ROLES else data / "keys", role) for role in Role}
        self.root = self._old_root()
        for path in (keys / "root.json", data / "keys" / "root.json"):
            path.write_bytes(self.root)
        for name, (family, counter) in PUBLISHED.items():
            write_bundle(directory / name, family, counter, tables(50 + counter), seed=ord(name))
        write_fallback(directory / "fallback", "digits")
        with server_in_thread(directory, engine) as harness:
            for name in (*PUBLISHED, "fallback"):
                harness.publish(directory / name)
            harness.assign("digits", 1)
        shutil.rmtree(keys / "verified")  # the command of then remembered nothing
        self.age(data)

    def age(self, data: Path) -> None:
        """Make the tables as they were, with rows in them, and sign as was signed then."""
        connector = engine_of(settings(data, **self.engine.settings(data)))
        with connector.begin() as connection:
            kept = {table: connection.execute(table.select()).mappings().all() for table in (bundles, fallbacks)}
        make_old(connector)
        with connector.begin() as connection:
            for table, rows in kept.items():
                connection.execute(insert(table), [dict(row) for row in rows])
            first = {"family": "digits", "seq": 1, "counter": 1, "assigned_at": 0.0}
            connection.execute(insert(assignments), first)
            self._sign_all(connection)
        connector.dispose()

    def _old_root(self) -> bytes:
        root = Root(version=1, expires=NOW + timedelta(days=3650), consistent_snapshot=True)
        for role, signer in self._signers.items():
            root.add_key(signer.public_key, role.value)
        return signed(root, self._signers[Role.ROOT])

    def _sign_all(self, connection: Connection) -> None:
        """Every version of the one list, as `Repository.initialise` and `Repository.publish` wrote them then."""
        files, entries = {"metadata/1.root.json": self.root}, dict[str, TargetFile]()
        self._sign_version(files, 1, entries)
        for version, name in enumerate((*PUBLISHED, "fallback"), start=2):
            published, data = described(self.directory / name)
            entry = TargetFile.from_data(published.target_path, data, ["sha256"])
            entry.unrecognized_fields["custom"] = dict(published.target_custom)
            entries[published.target_path] = entry
            folder, _, file = published.target_path.rpartition("/")
            files[f"targets/{folder}/{entry.hashes['sha256']}.{file}"] = data
            self._sign_version(files, version, entries)
        connection.execute(insert(tuf_files), [{"name": name, "data": data} for name, data in files.items()])

    def _sign_version(self, files: dict[str, bytes], version: int, entries: dict[str, TargetFile]) -> None:
        targets = Targets(version, expires=NOW + timedelta(days=365), targets=dict(entries))
        snapshot = Snapshot(version, expires=NOW + timedelta(days=7), meta={"targets.json": MetaFile(version)})
        timestamp = Timestamp(version, expires=NOW + timedelta(days=1), snapshot_meta=MetaFile(version))
        files[f"metadata/{version}.targets.json"] = signed(targets, self._signers[Role.TARGETS])
        files[f"metadata/{version}.snapshot.json"] = signed(snapshot, self._signers[Role.SNAPSHOT])
        files["metadata/timestamp.json"] = signed(timestamp, self._signers[Role.TIMESTAMP])


def make_old(connector: Connector) -> None:
    """Empty a database, and make the tables of the program of then."""
    with connector.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    with connector.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "cloud_server.storage:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, OLD)


def signed(content: Any, signer: Signer) -> bytes:
    """Metadata without any members of our own."""
    made: Metadata[Any] = Metadata(content)
    made.sign(signer)
    return made.to_bytes()


def described(folder: Path) -> tuple[Bundle | Fallback, bytes]:
    """What an exported folder holds, and its bytes."""
    if (folder / "fallback.json").exists():
        data = (folder / "fallback.json").read_bytes()
        return Fallback.from_bytes(data), data
    data = (folder / "bundle.json").read_bytes()
    return Bundle.from_bytes(data), data


@pytest.fixture
def old(engine: Engine, tmp_path: Path) -> OldServer:
    """The data of such a server, which is down."""
    return OldServer(tmp_path / "server", engine)


def renewed(harness: ServerHarness) -> str:
    """What the operator's command says."""
    words = ["trust", "renew", "--keys", str(harness.keys)]
    result = CliRunner().invoke(app, words, env=harness.as_operator)
    assert result.exit_code == 0, result.output
    return result.output


def listed(harness: ServerHarness, family: str) -> set[str]:
    """The targets that a family's list names."""
    document = json.loads(harness.client("operator").get(f"/v1/tuf/{family}/targets").content)
    assert document["signed"]["family"] == family
    return set(document["signed"]["targets"])


def test_one_command_makes_every_family_fetchable_and_assignable(old: OldServer, tmp_path: Path) -> None:
    with server_in_thread(old.directory, old.engine) as harness:
        client, device = harness.client("operator"), harness.enrol("digits")
        rows = client.get("/v1/bundles").json()["bundles"]
        assert {row["name"] for row in rows} == {"digits/1", "digits/2", "letters/1"}
        assert device.post(frame(tables(51))).json()["model"] == "digits/1", "frames are answered all the while"
        refused = client.post("/v1/assignments", json={"family": "digits", "counter": 2})
        assert refused.status_code == 409, "what devices cannot fetch is assigned to nobody"
        with pytest.raises((TrustError, ChannelError)):
            harness.follower(tmp_path / "early").download("digits/1.json")

        assert renewed(harness) == "Signed anew: digits, letters.\n"
        for name, (family, counter) in PUBLISHED.items():
            follower = harness.follower(tmp_path / family, family)
            assert follower.download(f"{family}/{counter}.json").data == described(old.directory / name)[1]
            assert harness.assign(family, counter) > 0
        assert len(listed(harness, "digits")) == 3, "both bundles and the fallback"
        assert listed(harness, "letters") == {"letters/1.json"}
        assert_renewing_again_changes_no_entry(harness)
        told = device.http.get("/v1/assignment").json()
        assert told["target"] == "digits/2.json"


def assert_renewing_again_changes_no_entry(harness: ServerHarness) -> None:
    """Signing anew again changes versions alone."""
    before = {family: listed(harness, family) for family in ("digits", "letters")}
    renewed(harness)
    assert {family: listed(harness, family) for family in before} == before


def test_a_family_is_published_on_top_of_what_was_signed_for_all(old: OldServer, tmp_path: Path) -> None:
    write_bundle(tmp_path / "next", "letters", 2, tables(60), seed=9)
    with server_in_thread(old.directory, old.engine) as harness:
        harness.publish(tmp_path / "next")
        assert listed(harness, "letters") == {"letters/1.json", "letters/2.json"}
        newest = (tmp_path / "next" / "bundle.json").read_bytes()
        assert harness.follower(tmp_path / "device", "letters").download("letters/2.json").data == newest
