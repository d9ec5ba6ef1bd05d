"""Counters of answered frames: each frame once, labels within bounds."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.metrics import LABELS_NAMED_MAX, Metrics, metric_label
from shared.wire import Match
from tests.vectors import metrics_vectors

LABELS = tuple(f"class {number}" for number in range(LABELS_NAMED_MAX + 2))


def lines(metrics: Metrics) -> list[str]:
    """What Prometheus reads of frames and predictions."""
    text = metrics.exposition().decode()
    return [
        line for line in text.splitlines() if line.startswith(("dctwire_frames_total", "dctwire_predictions_total"))
    ]


def test_the_exposition_of_a_server_to_which_everything_happened_is_what_it_was() -> None:
    assert metrics_vectors.exposition() == metrics_vectors.FILE.read_text()


def test_that_exposition_has_a_value_of_every_metric() -> None:
    told = {
        family.name for family in text_string_to_metric_families(metrics_vectors.FILE.read_text()) if family.samples
    }
    assert {one.name.removesuffix("_total") for one in Metrics().described()} == told


def test_answered_frames_are_counted_by_tables_and_match_and_by_label() -> None:
    metrics = Metrics()
    answers = (0, 3, 3, LABELS_NAMED_MAX, LABELS_NAMED_MAX + 1)
    frames = tuple(AnsweredFrame(1, n, b"jpeg", 2, label, 0.5, True) for n, label in enumerate(answers))
    answered = AnsweredFrames(
        family="digits",
        model="digits/1",
        labels=LABELS,
        match=Match.FALLBACK,
        tables="interchange",
        table_set=None,
        answered_at=1.0,
        frames=frames,
    )
    metrics.count_answered(answered)
    assert sorted(lines(metrics)) == [
        'dctwire_frames_total{family="digits",match="fallback",tables="interchange"} 5.0',
        'dctwire_predictions_total{family="digits",label="class 0"} 1.0',
        'dctwire_predictions_total{family="digits",label="class 3"} 2.0',
        'dctwire_predictions_total{family="digits",label="other"} 2.0',
    ]


@pytest.mark.parametrize(
    ("index", "name"),
    [(0, "class 0"), (LABELS_NAMED_MAX - 1, f"class {LABELS_NAMED_MAX - 1}"), (LABELS_NAMED_MAX, "other")],
)
def test_so_many_labels_have_a_name_of_their_own(index: int, name: str) -> None:
    assert metric_label(LABELS, index) == name
