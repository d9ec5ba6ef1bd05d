"""What benchmarks write, and what the demo measures: the agreed shape, and arithmetic that can be checked by hand."""

import json
from pathlib import Path

import pytest

from benchmarks import record
from harness.measurement import Measured, Samples, figures, measured

RESULTS = sorted(record.RESULTS.glob("*.json"))
DEMO_FIGURES = {
    "jfif_bytes_standard",
    *(f"{unit}_bytes_{version}" for unit in ("stream", "scan", "wire") for version in ("v1", "v2")),
    "wire_bytes_standard",
    "accuracy_v1",
    "accuracy_v2",
    "frames_lost",
}
METRICS = """\
dctwire_frames_total{family="doorbell",tables="v1",match="exact"} 10.0
dctwire_payload_bytes_total{direction="in",family="doorbell",tables="v1",part="scan"} 1000.0
dctwire_payload_bytes_total{direction="in",family="doorbell",tables="v1",part="tables"} 0.0
dctwire_payload_bytes_total{direction="in",family="doorbell",tables="v1",part="markers"} 70.0
dctwire_payload_bytes_total{direction="in",family="doorbell",tables="v1",part="http"} 200.0
dctwire_payload_bytes_total{direction="out",family="doorbell",tables="v1",part="http"} 50.0
dctwire_payload_bytes_total{direction="in",family="doorbell",tables="v2",part="scan"} 9999.0
dctwire_feedback_total{family="doorbell",tables="v1",correct="true"} 8.0
dctwire_feedback_total{family="doorbell",tables="v1",correct="false"} 2.0
"""


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_has_the_agreed_shape(path: Path) -> None:
    written = json.loads(path.read_text())
    assert set(written) == {"name", "commit", "machine", "date", "n", "figures"}
    assert written["name"] == path.stem
    assert written["n"] >= 1
    assert all(isinstance(value, int | float) for value in written["figures"].values())


def test_the_demo_was_measured_whole() -> None:
    measured_figures = json.loads((record.RESULTS / "demo.json").read_text())["figures"]
    assert measured_figures.keys() >= DEMO_FIGURES | {"seconds_cold", "seconds_warm"}
    assert measured_figures["frames_lost"] == 0


def test_figures_are_means_a_frame_of_what_the_metrics_say() -> None:
    row = measured(Samples(METRICS), "v1", pictures=10)
    assert (row.frames, row.labelled, row.accuracy) == (10, 10, 0.8)
    assert (row.scan_bytes, row.stream_bytes, row.wire_bytes) == (100, 107, 132)


def test_the_interval_is_wilsons() -> None:
    low, high = Measured(10, 10, 10, 8, 0, 0, 0, 0).accuracy_interval
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)


def test_a_picture_sent_twice_does_not_narrow_the_interval() -> None:
    once = Measured(10, 10, 10, 8, 0, 0, 0, 0)
    twice = Measured(10, 20, 20, 16, 0, 0, 0, 0)
    assert twice.accuracy_interval == once.accuracy_interval


def test_the_demo_records_every_agreed_figure() -> None:
    row = measured(Samples(METRICS), "v1", pictures=10)
    assert figures(row, row, row, file_bytes=700, lost=0).keys() >= DEMO_FIGURES
