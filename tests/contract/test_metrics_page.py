"""docs/metrics.md and the recording rules are what the code says, and the page explains every label."""

import re

import pytest

from cloud_server.metrics import Metrics
from deploy.prometheus import reference
from deploy.prometheus.labels import LABELS, LABELS_OF, values_of
from deploy.prometheus.questions import CHAPTERS

LABELLED = [(one.name, label) for one in Metrics().described() for label in one.labels]
QUESTIONS = [one for questions in CHAPTERS.values() for one in questions]


def test_the_page_and_the_rules_are_what_the_code_says() -> None:
    assert not reference.stale(), "make metrics"


@pytest.mark.parametrize(("metric", "label"), LABELLED, ids=str)
def test_the_values_of_every_label_are_told(metric: str, label: str) -> None:
    assert values_of(metric, label)


def test_nothing_is_told_of_labels_that_no_metric_has() -> None:
    assert set(LABELS) <= {label for _, label in LABELLED}
    assert set(LABELS_OF) <= set(LABELLED)


def test_questions_ask_of_nothing_but_metrics_and_rules_that_there_are() -> None:
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for one in QUESTIONS for name in _names(one.query)}
    there = {one.name for one in Metrics().described()} | {one.record for one in QUESTIONS}
    assert not named - there


def test_no_two_questions_are_recorded_under_one_name() -> None:
    records = [one.record for one in QUESTIONS if one.record]
    assert sorted(records) == sorted(set(records))


def _names(query: str) -> list[str]:
    return re.findall(r"[a-z_]*:?dctwire[a-z_0-9:]*", re.sub(r'"[^"]*"', "", query))
