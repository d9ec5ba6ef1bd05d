"""What a source is opened with, in tests."""

from pathlib import Path

import pytest

from sensor_client.sources import SourceHealth, SourceSurroundings
from tests.sensor_client.fakes import FakeClock


@pytest.fixture
def health(clock: FakeClock) -> SourceHealth:
    return SourceHealth(clock)


@pytest.fixture
def around(tmp_path: Path, clock: FakeClock, health: SourceHealth) -> SourceSurroundings:
    return SourceSurroundings(clock=clock, random=lambda: 0.5, health=health, memory=tmp_path / "memory")
