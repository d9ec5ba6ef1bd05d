"""The whole system, the real programs as processes: over-the-air updates, kills, and what the metrics say of it."""

import sqlite3
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from harness import commands
from harness.processes import ProgramError, run
from shared.bundle import EncoderSettings, Encoding
from shared.jpeg import Stream
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import expected_label, write_classifier
from tests.cloud_server.harness.frames import picture, tables
from tests.system.harness import WAIT_SECONDS, SystemHarness

PICTURES = 60
THRIFTY = EncoderSettings.nearest(rounding=0.375, mask=np.arange(64) > 50, weights=1 / (0.3 * 50**2))


@pytest.fixture
def harness(tmp_path: Path) -> SystemHarness:
    harness = SystemHarness(tmp_path)
    harness.draw_pictures(PICTURES)
    return harness


def counters(harness: SystemHarness, state: Path) -> dict[str, int]:
    return cast("dict[str, int]", harness.status(state)["counters"])


def answers(harness: SystemHarness, tables_name: str) -> dict[int, str]:
    """Labels by sequence of the frames with these tables."""
    with sqlite3.connect(harness.data / "dctwire.sqlite3") as database:
        return dict(database.execute("SELECT sequence, label FROM results WHERE tables = ?", (tables_name,)))


FRAMES_OF_AN_UPDATE = 2_400
"""The camera must still run when the second bundle is published, on a busy machine, too."""


def answered_sequences(harness: SystemHarness) -> list[int]:
    with sqlite3.connect(harness.data / "dctwire.sqlite3") as database:
        return [row[0] for row in database.execute("SELECT sequence FROM results ORDER BY sequence")]


def test_a_running_camera_is_updated_over_the_air_and_no_frame_is_lost(harness: SystemHarness) -> None:
    with harness.server():
        harness.publish(1, quality=50)
        state = harness.enrol("camera")
        with harness.camera(state, "--count", str(FRAMES_OF_AN_UPDATE), "--exit-when-drained") as camera:
            camera.wait_for(lambda: harness.measured("v1").frames >= PICTURES, WAIT_SECONDS, "frames with v1")
            harness.publish(2, quality=20, settings=THRIFTY)
            camera.wait_for(lambda: harness.measured("v2").frames >= PICTURES, WAIT_SECONDS, "frames with v2")
            camera.wait(WAIT_SECONDS)
        v1, v2 = harness.measured("v1"), harness.measured("v2")
    assert v1.frames + v2.frames == FRAMES_OF_AN_UPDATE
    assert v1.labelled == v1.frames
    assert v2.labelled == v2.frames
    shown = {sequence: picture((sequence - 1) % PICTURES) for sequence in answers(harness, "v2")}
    assert answers(harness, "v2") == {
        sequence: expected_label(2, tables(20), pixels, THRIFTY) for sequence, pixels in shown.items()
    }
    scans = Encoding(tables(20), THRIFTY).encoder().encode_batch(np.stack(list(shown.values())), Stream.SCAN)
    assert v2.scan_bytes == pytest.approx(np.mean([len(scan) for scan in scans]))
    assert answered_sequences(harness) == sorted(set(answered_sequences(harness)))
    status = harness.status(state)
    assert (status["active_bundle"], status["previous_bundle"]) == ("doorbell/2", "doorbell/1")
    assert (status["spooled_frames"], status["waiting_labels"], status["dead_letters"]) == (0, 0, 0)


def test_pictures_that_were_encoded_with_both_tables_are_answered_as_pairs_and_count_once(
    harness: SystemHarness,
) -> None:
    with harness.server():
        harness.publish(1, quality=50)
        state = harness.enrol("camera")
        with harness.camera(state, "--count", "10", "--exit-when-drained") as camera:
            camera.wait(WAIT_SECONDS)
        harness.publish(2, quality=20)
        with harness.camera(state, "--probes", batch=1, rate=100) as camera:
            camera.wait_for(lambda: len(pairs(harness)) > 0, WAIT_SECONDS, "a probe")
        with harness.camera(state, "--count", "1", "--exit-when-drained") as camera:
            camera.wait(WAIT_SECONDS)
        frames = harness.measured("v1").frames + harness.measured("v2").frames
    assert set(pairs(harness)) == {("v1", "v2", 1)}
    counted = counters(harness, state)
    assert (counted["probes_sent"], counted["probes_dropped"]) == (len(pairs(harness)), 0)
    assert counted["acknowledged"] == frames == len(answered_sequences(harness)) - counted["probes_sent"]


def pairs(harness: SystemHarness) -> list[tuple[str, str, int]]:
    """Tables of each probe, those of its frame, and by how much its number is higher."""
    with sqlite3.connect(harness.data / "dctwire.sqlite3") as database:
        return database.execute(
            "SELECT probe.tables, frame.tables, probe.sequence - frame.sequence FROM results AS probe"
            " JOIN results AS frame ON frame.sequence = probe.companion_of WHERE probe.kind = 'probe'"
        ).fetchall()


def test_killing_the_server_mid_run_loses_no_frame(harness: SystemHarness) -> None:
    with harness.server() as server:
        harness.publish(1, quality=50)
        state = harness.enrol("camera")
        camera = harness.camera(state, "--count", "500", "--exit-when-drained")
        server.wait_for(lambda: harness.measured("v1").frames >= 100, WAIT_SECONDS, "first frames")
        server.kill()
    with camera, harness.server():
        camera.wait(WAIT_SECONDS)
    assert counters(harness, state)["captured"] == 500
    assert counters(harness, state)["acknowledged"] == 500
    assert len(answered_sequences(harness)) == 500


def test_killing_the_camera_mid_run_loses_no_spooled_frame_and_repeats_no_number(harness: SystemHarness) -> None:
    with harness.server():
        harness.publish(1, quality=50)
        state = harness.enrol("camera")
        with harness.camera(state) as camera:
            camera.wait_for(lambda: harness.measured("v1").frames >= 100, WAIT_SECONDS, "first frames")
            camera.kill()
        with harness.camera(state, "--count", "100", "--exit-when-drained") as camera:
            camera.wait(WAIT_SECONDS)
        status = harness.status(state)
        frames = harness.measured("v1").frames
    counted = cast("dict[str, int]", status["counters"])
    assert status["spooled_frames"] == 0
    assert counted["acknowledged"] == counted["captured"] == frames == len(set(answered_sequences(harness)))


def test_a_bundle_with_other_tables_than_its_classifier_never_reaches_a_camera(harness: SystemHarness) -> None:

    with harness.server():
        harness.publish(1, quality=50)
        state = harness.enrol("camera")
        with pytest.raises(ProgramError, match=r"classifier\.onnx"):
            publish_with_a_swapped_classifier(harness)
        with harness.camera(state, "--count", "50", "--exit-when-drained") as camera:
            camera.wait(WAIT_SECONDS)
        assert harness.measured("v1").frames == 50
        assert harness.measured("v2").frames == 0


def publish_with_a_swapped_classifier(harness: SystemHarness) -> None:

    folder = harness.folder / "swapped"
    write_bundle(folder, "doorbell", 2, tables(20), seed=2)
    write_classifier(folder / "classifier.onnx", seed=3)
    run(commands.publish(folder, harness.keys, assign=True), log=harness.log("swapped"), env=harness.environment)
