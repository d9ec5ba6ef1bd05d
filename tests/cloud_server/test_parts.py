"""What the parts notice reaches the events, each thing once: a server to which all of it happens, again and again."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows.events import EventRow
from cloud_server.storage.schema import audit, audit_head
from tests.cloud_server.fleet.test_heartbeats import tell
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.inference.test_watchdog import IMPATIENT, bright, publish
from tests.cloud_server.quality.test_drift import dark, posted, reference_of

HOUR_MS = 3_600_000
SIGNAL = {"family": "digits", "tables": "v1", "signal": "luma_level"}
SETTINGS: dict[str, Any] = {**IMPATIENT, "drift_frames_per_second": 1e6, "drift_device_seconds": 0}


@dataclass(frozen=True)
class Happened:
    """All events, oldest first, and the device that seems to be two."""

    events: Sequence[EventRow]
    twin: str


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Happened]:
    """The events of a server, read when it has ended."""
    folder = tmp_path_factory.mktemp("parts")
    with server_in_thread(folder / "server", **SETTINGS) as server:
        let_drift(server, folder)
        be_two(twin := server.enrol("digits"))
        trap_often(server, folder)
        damage_audit(server)
    with server.database() as connection:
        yield Happened(rows.page(connection, None, 1000)[::-1], twin.device_id)


def let_drift(server: ServerHarness, folder: Path) -> None:
    """Frames become dark, and stay so."""
    write_bundle(folder / "first", "digits", 1, tables(50), seed=1)
    write_bundle(folder / "v1", "digits", 1, tables(50), seed=1, reference=reference_of(folder / "first"))
    server.publish(folder / "v1")
    server.assign("digits", 1)

    def is_watched() -> bool:
        posted(server, [picture(0)])
        return ("dctwire_drift_active", frozenset(SIGNAL.items())) in server.scrape().samples

    wait_until(is_watched)
    posted(server, [dark(seed) for seed in range(100)])
    wait_until(lambda: server.scrape().value("dctwire_drift_active", **SIGNAL) == 1)
    watched = server.scrape().value("dctwire_drift_frames_total")
    posted(server, [dark(seed) for seed in range(100)])
    wait_until(lambda: server.scrape().value("dctwire_drift_frames_total") >= watched + 100)


def be_two(device: Device) -> None:
    """Two programs of one identity take turns."""
    for boot, uptime_seconds in (("a", 10), ("b", 5), ("a", 20_000), ("b", 20_000), ("a", 30_000)):
        assert tell(device, boot=boot * 16, uptime_seconds=uptime_seconds).status_code in (200, 204)


def trap_often(server: ServerHarness, folder: Path) -> None:
    """A classifier does not come to an end, until it is left alone."""
    trapped, _ = publish(server, folder)
    for level in (255, 252, 249):
        wait_until(lambda: trapped.post(frame(tables(50), 4)).status_code == 200)
        assert trapped.post(bright(level)).status_code == 503
    assert server.scrape().value("dctwire_classifier_failed", model="trapped/1") == 1


def damage_audit(server: ServerHarness) -> None:
    """The end of the record is another one than it was."""
    with server.database() as connection:
        end = connection.execute(select(audit_head.c.seq)).scalar_one()
    wait_until(lambda: server.scrape().value("dctwire_audit_rows") == end)
    with server.database() as connection:
        connection.execute(update(audit).where(audit.c.seq == end).values(hash="f" * 64))
    wait_until(lambda: server.scrape().value("dctwire_audit_broken") == 1)


def of_kind(happened: Happened, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Subjects and facts of the events of a kind."""
    return [(event.subject, json.loads(event.facts)) for event in happened.events if event.kind == kind]


def test_a_signal_that_drifts_on_is_told_of_once(happened: Happened) -> None:
    [(subject, facts)] = [found for found in of_kind(happened, "drift.began") if found[1]["signal"] == "luma_level"]
    assert subject == "digits/1"
    assert set(facts) == {"signal", "score", "replica"}
    assert of_kind(happened, "drift.ended") == []


def test_a_device_that_goes_on_being_two_is_told_of_once(happened: Happened) -> None:
    [(subject, facts)] = of_kind(happened, "device.suspected-clone")
    assert subject == happened.twin
    assert "two-programs" in facts.values()


@pytest.mark.parametrize("kind", ["classifier.stopped", "classifier.failed"])
def test_a_classifier_that_is_stopped_again_and_again_is_told_of_once_an_hour(happened: Happened, kind: str) -> None:
    assert {subject for subject, _ in of_kind(happened, kind)} == {"trapped/1"}
    hours = [event.at_ms // HOUR_MS for event in happened.events if event.kind == kind]
    assert len(hours) == len(set(hours))


def test_a_record_that_is_not_as_it_was_written_is_told_of(happened: Happened) -> None:
    [(subject, facts)] = of_kind(happened, "audit.broken")
    assert subject == "audit"
    assert "is another one than it was" in facts["cause"]
