"""Fixtures of the sensor's tests: a publisher, the server that serves it, and a device enrolled there."""

import logging
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sensor_client.clock import SystemClock
from sensor_client.companion_sender import CompanionSender
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine
from sensor_client.ledger import Ledger
from sensor_client.line_health import LineHealth
from sensor_client.logs import PROGRAM
from sensor_client.signals import Signals
from sensor_client.spool import Spool, SpoolLimits
from sensor_client.upload_orders import HeldUploadOrders, UploadOrders
from sensor_client.uploader import Uploader
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane
from tests.sensor_client.fakes import Access, FakeClock
from tests.sensor_client.signed_bundles import Publisher
from tests.sensor_client.uploading import Drained, MakeUploader, Witness


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def plane(publisher: Publisher) -> Iterator[DevicePlane]:
    with DevicePlane(tuf=publisher.directory) as plane:
        yield plane


@pytest.fixture
def signals() -> Signals:
    return Signals(settled_seq=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def channel(plane: DevicePlane, signals: Signals) -> Iterator[DeviceChannel]:
    with HttpLine(plane.url, SystemClock()) as line:
        yield DeviceChannel(
            line=line,
            access=Access(DEVICE_ID, TOKEN),
            clock=SystemClock(),
            assignment_seen=signals.notice_assignment,
        )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.sqlite3", SpoolLimits())
    yield spool
    spool.close()


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def make(
    spool: Spool, channel: DeviceChannel, witness: Witness, clock: FakeClock, signals: Signals, tmp_path: Path
) -> MakeUploader:
    def make(other_spool: Spool | None = None, *, ends_when_drained: bool = False, **orders: Any) -> Uploader:
        used, held = other_spool or spool, HeldUploadOrders(UploadOrders(**orders))
        companions = CompanionSender(
            spool=used, channel=channel, clock=clock, random=lambda: 0.5, signals=signals, orders=held
        )
        return Uploader(
            spool=used,
            channel=channel,
            companions=companions,
            witness=witness,
            allowance=Ledger(tmp_path / "traffic.json", clock, held),
            health=LineHealth(tmp_path / "line.json", clock),
            clock=clock,
            random=lambda: 0.5,
            signals=signals,
            orders=held,
            ends_when_drained=ends_when_drained,
        )

    return make


@pytest.fixture
def drained(signals: Signals, make: MakeUploader) -> Drained:
    """Run an uploader until everything is delivered."""

    def drained(**settings: Any) -> None:
        signals.end_source()
        make(ends_when_drained=True, **settings).run()

    return drained


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Mapping[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        self.lines.append({**fields, "event": record.getMessage(), "log_level": record.levelname.lower()})


@pytest.fixture
def lines() -> Iterator[list[Mapping[str, Any]]]:
    """What the sensor logs meanwhile."""
    handler, logger = _Lines(), logging.getLogger(PROGRAM)
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own: 16 MiB, of which a fiftieth is 328 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=False).returncode != 0:
        pytest.skip("needs the right to mount a file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
