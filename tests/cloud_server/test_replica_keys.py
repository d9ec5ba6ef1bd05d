"""Two servers on one PostgreSQL, of which one lacks an online key that was made anew."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from cloud_server.cli.app import app
from cloud_server.cli.ceremonies import Ceremony
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import initialise_trust
from cloud_server.storage.schema import leases, tuf_families
from shared.trust import Role
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Outgrown
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.waiting import wait_until

pytestmark = pytest.mark.system

SIGNED_SECONDS = 40.0
"""A lease of 15 s that whoever was killed has held, and a round of housekeeping."""


@dataclass
class Pair:
    """Two replicas, each with a folder of online keys of its own; `lacking` started first, so that it led."""

    lacking: ServerProcess
    having: ServerProcess
    folder: Path

    def rotate(self) -> Path:
        """Make the timestamp's key anew, in the folder of one of them; returns its file."""
        online = self.having.harness.data / "keys"
        before = set(online.iterdir())
        with closing(OperatorClient(self.having.harness.addresses["operator"], self.having.harness.admin_token)) as at:
            ceremony = Ceremony(at, self.having.harness.keys, datetime.now(UTC), lambda _path: b"")
            ceremony.rotate([Role.TIMESTAMP], online)
        (made,) = set(online.iterdir()) - before
        return made

    def floor_of_times(self) -> float:
        """When a timestamp or a snapshot of any family is to be signed anew, the first of them."""
        with self.having.harness.database() as database:
            return min(map(float, database.execute(select(tuf_families.c.renew_at)).scalars()))

    def let_all_be_due(self) -> None:
        """Have every family signed anew as soon as somebody can."""
        with self.having.harness.database() as database:
            database.execute(update(tuf_families).values(renew_at=0.0))

    def status(self) -> tuple[Any, str]:
        """What the one that lacks the key answers to `dctwire status`, for programs and for people."""
        typed = [CliRunner().invoke(app, ["status", *form], env=self.as_operator) for form in (["--json"], [])]
        return json.loads(typed[0].stdout), typed[1].stdout

    @property
    def as_operator(self) -> dict[str, str]:
        return self.lacking.harness.as_operator | {"COLUMNS": "200"}


@pytest.fixture
def pair(outgrown: Outgrown, tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[Pair]:
    first, second = tmp_path / "first" / "data", tmp_path / "second" / "data"
    initialise_trust(tmp_path / "first" / "keys", first, datetime.now(UTC))
    shutil.copytree(first / "keys", second / "keys")
    outgrown.share(first, second)
    with ExitStack() as running:
        lacking = ServerProcess(tmp_path / "first", **outgrown.settings(first))
        running.callback(lacking.kill)
        lacking.harness.engine = outgrown
        wait_until(lambda: _is_led(lacking), SIGNED_SECONDS)
        having = ServerProcess(tmp_path / "second", **outgrown.settings(second))
        running.callback(having.kill)
        having.harness.engine, having.harness.keys = outgrown, lacking.harness.keys
        having.harness.first_data = first
        having.harness.publish(bundle_folders[1])
        yield Pair(lacking, having, tmp_path)


def _is_led(process: ServerProcess) -> bool:
    with process.harness.database() as database:
        return database.execute(select(leases.c.name).where(leases.c.name == "signing")).first() is not None


def test_a_replica_without_the_new_key_leaves_signing_to_others_and_says_what_is_wrong_until_it_has_it(
    pair: Pair, tmp_path: Path
) -> None:
    made = pair.rotate()
    wait_until(lambda: pair.floor_of_times() > datetime.now(UTC).timestamp() + 3600, SIGNED_SECONDS)
    write_bundle(tmp_path / "v3", "digits", 3, tables(40), seed=3)
    pair.having.harness.publish(tmp_path / "v3")
    assert pair.having.harness.follower(tmp_path / "device").download("digits/3.json").data
    lacking = pair.lacking.harness
    assert lacking.assign("digits", 3) > 0, "what is listed is read without keys"
    assert all(row["is_listed"] for row in lacking.client("operator").get("/v1/bundles").json()["bundles"])

    pair.having.kill()
    pair.let_all_be_due()
    pair.lacking.await_event("online-keys-missing")
    document, shown = pair.status()
    assert [row["missing_keys"] for row in document["replicas"] if row["is_answering"]] == [[made.stem]]
    assert f"signs nothing: it lacks {made.stem}" in shown
    assert lacking.scrape().value("dctwire_missing_online_keys") == 1
    assert lacking.client("ops").get("/readyz").status_code == 200, "it answers frames all the same"
    assert pair.floor_of_times() == 0.0

    shutil.copy(made, lacking.data / "keys")
    wait_until(lambda: pair.floor_of_times() > datetime.now(UTC).timestamp(), SIGNED_SECONDS)
    assert lacking.follower(tmp_path / "device").download("digits/3.json").data
    assert lacking.scrape().value("dctwire_missing_online_keys") == 0
    wait_until(lambda: "signs nothing" not in pair.status()[1], SIGNED_SECONDS)
