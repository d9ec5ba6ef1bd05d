"""What a training's page says, in words."""

import pytest

from cloud_server.console.training_view import BECAUSE, Line, viewed
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.trainings.document import RunDocument
from cloud_server.trainings.standing import Outcome, Trigger, ended, taken
from tests.cloud_server.harness.trainings import REFUSED

NOW = 1_800_000_000.0
QUEUED = RunRow("aaaa2222", "digits", "labels", None, "ada", NOW - 60, "queued")
RUNNING = taken(QUEUED, "trainer-1", 120, NOW)


def line(run: RunRow, now: float = NOW) -> tuple[str, str]:
    """Where a run stands, and how that looks; every bundle is published."""
    shown = Line.of(run, lambda _name: True, now)
    return shown.stands, shown.kind


def test_where_a_training_stands_is_said_in_short() -> None:
    assert line(QUEUED) == ("waits for a trainer", "info")
    assert line(RUNNING) == ("begun", "info")
    assert line(RUNNING._replace(stage="train", share=0.4)) == ("train, 40 %", "info")
    assert line(RUNNING, NOW + 121) == ("overdue", "bad")
    assert line(ended(RUNNING, "trainer-1", Outcome.REFUSED, NOW)) == ("refused by its gates", "bad")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_end_is_told_in_a_sentence(outcome: Outcome) -> None:
    over = ended(RUNNING, "trainer-1", outcome, NOW + 9)._replace(counter=2)
    shown = viewed(over, lambda _name: True, NOW + 10)
    [happens] = shown.happens
    assert happens.endswith(".")
    assert not shown.line.is_open


def test_every_reason_to_train_has_its_words() -> None:
    assert set(BECAUSE) == set(Trigger)


def test_only_a_bundle_that_is_published_has_a_link() -> None:
    of_two = RUNNING._replace(counter=2)
    assert Line.of(of_two, {"digits/2"}.__contains__, NOW).version == "/versions/digits/2"
    assert Line.of(of_two, {"digits/1"}.__contains__, NOW).version == ""
    assert Line.of(RUNNING, lambda _name: True, NOW).version == ""


def test_gates_and_figures_are_told_with_their_intervals() -> None:
    document = RunDocument.model_validate(REFUSED).model_dump_json()
    over = ended(RUNNING, "trainer-1", Outcome.REFUSED, NOW)._replace(document=document, attempts=2)
    shown = viewed(over, lambda _name: False, NOW)
    assert shown.happens[-1] == "One class was lost."
    assert [(said.gate, said.opinion, said.kind) for said in shown.verdicts] == [
        ("accuracy", "holds", "good"),
        ("per-class", "refuses", "bad"),
    ]
    [figure] = shown.figures
    assert (figure.value, figure.interval, figure.name) == ("75.00 %", "50.00 % to 87.50 %", "accuracy")
    facts = dict(shown.facts)
    assert (facts["Took"], facts["Memory"], facts["Begun again"]) == ("1 minute", "2.00 MB", "1 time")
    assert "Digest of the data" not in facts
