"""Fixtures of the sensor's tests: a publisher, the server that serves it, and a device enrolled there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.http_line import HttpLine
from sensor_client.signals import Signals
from sensor_client.spool import Spool, SpoolLimits
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.signed_bundles import Publisher


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
            device_id=DEVICE_ID,
            token=TOKEN,
            clock=SystemClock(),
            assignment_seen=signals.notice_assignment,
        )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.sqlite3", SpoolLimits())
    yield spool
    spool.close()
