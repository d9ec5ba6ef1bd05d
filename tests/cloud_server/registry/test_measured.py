"""What the field shows of versions: means a frame and accuracy, unknown where nothing is known."""

import asyncio
from pathlib import Path

from cloud_server.open_storage import engine_of
from cloud_server.registry.measured import DAY_SECONDS, DAYS, Measured, Measurements, measured_of
from cloud_server.registry.report import accuracy_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.version_sums import VersionAnswers, VersionBytes
from tests.cloud_server.harness.server import settings

NOW = 20_000.5 * DAY_SECONDS


def test_bytes_are_means_a_frame_and_labels_make_an_accuracy() -> None:
    found = measured_of([VersionAnswers("v1", 90, 8, 6, 4, 1)], [VersionBytes("v1", 100, 20_000, 50_000)])
    assert found == {"v1": Measured(90, 200.0, 500.0, accuracy_of(8, 6), accuracy_of(4, 1))}


def test_what_is_not_known_of_a_version_is_none() -> None:
    found = measured_of(
        [VersionAnswers("v1", 90, 0, 0)], [VersionBytes("v2", 10, 500, 600), VersionBytes("v3", 0, 0, 0)]
    )
    assert found == {"v1": Measured(90, None, None, None), "v2": Measured(0, 50.0, 60.0, None)}


def test_it_looks_back_thirty_days_and_at_what_is_not_written_yet(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    engine = engine_of(settings(tmp_path / "data"))
    migrate(engine)

    async def scenario() -> None:
        database = Database(engine, asyncio.get_running_loop(), 30)
        first_hour = int(NOW - DAYS * DAY_SECONDS) // sums.HOUR_SECONDS

        async def save() -> None:
            rows = [
                sums.ByteSum("digits", "v1", hour, 0, 1, scan, 0, 0, 0, 0)
                for hour, scan in ((first_hour - 1, 900), (first_hour, 100))
            ]
            await database.write(lambda connection: sums.add_bytes(connection, rows))

        found = await Measurements(database, save, lambda: NOW).of("digits", ["v1"])
        assert found == {"v1": Measured(0, 100.0, 100.0, None)}
        await asyncio.to_thread(database.close)

    asyncio.run(scenario())
