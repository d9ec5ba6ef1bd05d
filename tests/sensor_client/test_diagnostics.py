"""Diagnostics are small, hold no secret, and are sent once for each request."""

import io
import random
import tarfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sensor_client.capture import CaptureSettings
from sensor_client.clock import SystemClock
from sensor_client.diagnostics import ARCHIVE_SECONDS, FLOOR_SECONDS, REMOVED, DiagnosticsSender, packed, scrubbed
from sensor_client.enrolment import enrol
from sensor_client.parts import RunSettings, Surroundings, assembled
from sensor_client.policies import CaptureOrders
from sensor_client.remote_settings import RemoteLimits
from sensor_client.signals import Signals
from sensor_client.sources import SourceHealth
from sensor_client.sources.folder import FolderCamera
from sensor_client.spool import SpoolLimits
from sensor_client.state_directory import StateDirectory
from sensor_client.uploader import UploadSettings
from shared.errors import ChannelError, RefusedError
from shared.wire import DIAGNOSTICS_MAX_BYTES, Enrolment
from tests.sensor_client import device_plane
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.signed_bundles import Publisher, make_bundle

TOKEN, SECRET, CLAIM = "t" * 22, "s3cr3t-" + "x" * 40, "3TJK-FZX8-SGB4"


@dataclass
class Channel:
    """Takes archives; or raises what stands in `faults`, one after the other."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    pictures: int = 0

    def ask_picture(self) -> None:
        self.pictures += 1

    def send_diagnostics(self, request: str, archive: bytes) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append((request, archive))


def unpacked(archive: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {entry.name: (tar.extractfile(entry) or io.BytesIO()).read().decode() for entry in tar}


def sender(channel: Channel, signals: Signals, text: str = "well") -> DiagnosticsSender:
    return DiagnosticsSender(
        channel=channel,
        files=lambda: {"status.json": text},
        ask_picture=channel.ask_picture,
        secrets=lambda: [TOKEN, SECRET, CLAIM],
        clock=FakeClock(),
        random=lambda: 0.5,
        signals=signals,
    )


@pytest.mark.parametrize(
    "text",
    [
        f"Bearer {TOKEN}",
        f'{{"secret": "{SECRET}"}}',
        f"enrolled with {CLAIM}",
        "http://admin:hunter2@camera/1.jpg",
        "http://camera/1.jpg?token=hunter2",
        "a key " + "Ab3-" * 12,
    ],
)
def test_no_secret_is_in_an_archive(text: str) -> None:
    signals, channel = Signals(0), Channel()
    signals.ask_diagnostics("0" * 16)
    sender(channel, signals, text).step()
    said = unpacked(channel.taken[0][1])["status.json"]
    assert REMOVED in said
    assert not any(secret in said for secret in (TOKEN, SECRET, CLAIM, "hunter2", "Ab3-"))


def test_words_that_are_no_secrets_stay() -> None:
    text = "digits/settings-3.json is in effect; frame 123 of http://camera/1.jpg: picture-unreadable"
    assert scrubbed(text, ["", "is"]) == text


@pytest.mark.parametrize("end", ["x", "/", ".", "_", "-", ")", "%", "~"])
def test_a_query_goes_whatever_the_path_before_it_ends_in(end: str) -> None:
    assert "pa55" not in scrubbed(f'source = "http://camera/shot{end}?user=a&pwd=pa55"', [])


def test_an_archive_of_much_is_cut_to_its_limit_and_keeps_the_ends_of_texts() -> None:
    noise = random.Random(1).randbytes(1 << 20).hex()
    archive = packed({"log.jsonl": noise + "\nthe end", "status.json": "well"})
    assert len(archive) <= DIAGNOSTICS_MAX_BYTES
    files = unpacked(archive)
    assert files["log.jsonl"].endswith("the end") and files["status.json"] == "well"


def test_a_request_is_answered_once_and_the_next_one_after_a_while() -> None:
    signals, channel = Signals(0), Channel()
    works = sender(channel, signals)
    assert works.step() == 0.0
    signals.ask_diagnostics("a" * 16)
    assert signals.diagnostics_wanted.is_set()
    assert (works.step(), works.step()) == (ARCHIVE_SECONDS, 0.0)
    signals.ask_diagnostics("b" * 16)
    assert works.step() == ARCHIVE_SECONDS
    assert [request for request, _ in channel.taken] == ["a" * 16, "b" * 16]
    assert channel.pictures == 2


def test_a_picture_is_asked_for_once_a_request_however_often_the_archive_is_tried() -> None:
    signals, channel = Signals(0), Channel(faults=[ChannelError("no line"), ChannelError("no line")])
    works = sender(channel, signals)
    assert (works.step(), channel.pictures) == (0.0, 0)
    signals.ask_diagnostics("a" * 16)
    signals.ask_diagnostics("a" * 16)
    for _ in range(4):
        works.step()
        assert channel.pictures == 1
    assert len(channel.taken) == 1


def test_a_line_that_fails_is_tried_again_and_a_refusal_is_not() -> None:
    signals, channel = Signals(0), Channel(faults=[ChannelError("no line"), RefusedError(404, "not-found", "gone")])
    works = sender(channel, signals)
    signals.ask_diagnostics("a" * 16)
    assert works.step() >= FLOOR_SECONDS
    assert signals.diagnostics_wanted.is_set()
    assert (works.step(), works.step(), channel.taken) == (ARCHIVE_SECONDS, 0.0, [])


class ImpatientClock(SystemClock):
    """The machine's clock, for whom every wait is short: what is waited for is looked for often."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return super().wait(event, min(seconds, 0.05))


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_camera_that_is_asked_sends_a_picture_long_before_one_is_due_unless_nobody_may_set_anything(
    plane: DevicePlane, publisher: Publisher, tmp_path: Path, is_allowed: bool
) -> None:
    publisher.publish(make_bundle(1))
    plane.assign(1, "signs", 1)
    state, clock = StateDirectory(tmp_path / "device"), ImpatientClock()
    known = Enrolment(device_id=device_plane.DEVICE_ID, token=device_plane.TOKEN, family="signs")
    enrol(state, plane.url, publisher.root, lambda: known)
    settings = RunSettings(
        state=state,
        source_health=SourceHealth(clock),
        camera=FolderCamera(write_pictures(tmp_path / "pictures", 9), is_looping=True),
        capture=CaptureSettings(),
        orders=CaptureOrders(frames_per_second=1 / 3600),
        upload=UploadSettings(),
        limits=SpoolLimits(),
        wants_results=False,
        makes_probes=False,
        poll_seconds=0.5,
        remote=RemoteLimits(is_allowed=is_allowed),
    )
    around = Surroundings(clock=clock, random=lambda: 0.5, environment={}, program="0.1", boot="0" * 16)
    with assembled(settings, around) as (sensor, spool, signals):
        work = threading.Thread(target=sensor.run, args=(lambda: None,))
        work.start()
        plane.until(lambda: len(plane.frames) == 1)
        assert plane.assignment is not None
        plane.assignment["diagnostics"] = "0" * 16
        plane.until(lambda: len(plane.diagnostics) == 1 and len(plane.frames) == 1 + is_allowed)
        signals.request_stop()
        work.join()
        assert spool.counters().captured == 1 + is_allowed
