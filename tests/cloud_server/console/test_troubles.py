"""What is wrong is said once, in words, with what to do; what is right is not said at all."""

from typing import Any

import pytest

from cloud_server.console.troubles import DAY_SECONDS, Facts, Weight, troubles_of

NOW = 1_000_000.0


def said(**facts: Any) -> list[str]:
    return [trouble.what for trouble in troubles_of(Facts(**facts), NOW)]


def test_a_server_that_is_well_has_no_troubles() -> None:
    far = NOW + 365 * DAY_SECONDS
    well = {"queue_oldest_seconds": 1.0, "rejected": 1, "taken": 10, "silent": {"digits": 0}, "skewed": {"digits": 0}}
    assert said(**well, expiries={"root": far, "targets": far, "online": far}, certificate_expires_at=far) == []


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"queue_oldest_seconds": 61.0}, "A frame has waited 1 minute for a classifier."),
        ({"rejected": 20, "taken": 180}, "10 % of the frames of the last minutes were refused."),
        ({"failed": ["digits/2"]}, "The classifier digits/2 cannot be loaded, or was stopped."),
        ({"lost_threads": 1}, "1 thread cannot be got back from a classifier."),
        ({"paused": ["digits"]}, "The rollout of digits is paused."),
        ({"silent": {"digits": 1}}, "1 device of digits has not been seen for a week."),
        ({"skewed": {"digits": 2}}, "2 devices of digits run other tables than told to."),
        ({"clones": 1}, "1 device may share an identity with another one."),
        ({"stale": 3}, "3 devices cannot take new tables: signed metadata have expired for them."),
        (
            {"expiries": {"online": NOW}},
            "The signed snapshot and timestamp metadata expired now; devices take no new tables.",
        ),
        ({"expiries": {"targets": NOW + DAY_SECONDS}}, "The signed targets metadata expire in 1 day."),
        ({"missing_keys": ["timestamp-0"]}, "This process lacks the online key timestamp-0."),
        ({"unserved": {"ab": "digits/2"}}, "Replica ab does not serve digits/2, which others do."),
        ({"audit_fault": "row 3"}, "The record of what operators changed is not as it was written: row 3."),
        (
            {"open_planes": {"device": "0.0.0.0:8000"}},
            "The device plane can be reached from other machines without TLS: it listens on 0.0.0.0:8000.",
        ),
        ({"certificate_expires_at": NOW - 60}, "The server's TLS certificate expired 1 minute ago."),
        ({"certificate_expires_at": NOW + DAY_SECONDS}, "The server's TLS certificate expires in 1 day."),
        ({"failing": {"digits": 3, "letters": 2}}, "The last 3 trainings of digits failed."),
        ({"overdue": ["digits"]}, "The trainer that has the training of digits has fallen silent."),
        ({"parted": ["Frames look other than in training."]}, "Frames look other than in training."),
    ],
)
def test_each_fact_is_a_trouble(facts: dict[str, Any], what: str) -> None:
    assert said(**facts) == [what]


def test_few_refused_frames_are_no_trouble_however_large_their_share() -> None:
    assert said(rejected=19, taken=0) == []


def test_what_cannot_wait_comes_first() -> None:
    found = troubles_of(Facts(clones=1, failed=["digits/2"], stale=1), NOW)
    assert [trouble.weight for trouble in found] == [Weight.BAD, Weight.WARN, Weight.WARN]
