"""Review in the console: what is offered and said; without JavaScript forms label, skip and take back."""

from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from cloud_server.console.live import kept_picture, version_of
from cloud_server.console.review import Queue, choices, said_of
from cloud_server.feedback.labels import Labelled
from cloud_server.feedback.reasons import Reason
from cloud_server.feedback.reviewing import Reviewed, Shown
from cloud_server.feedback.samples import Sample
from cloud_server.operators.roles import Role
from shared.wire import Kind, Match
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.console import ConsoleClient, logged_in
from tests.cloud_server.harness.feedback import answered, kept
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

KEEP_UNSURE: dict[str, Any] = {"sample_random_rate": 0.0, "sample_confidence_below": 1.0, "sample_hourly_max": 1000}
PAGE = f"/review?family={FAMILY}"
ANIMALS = ("sea lion", "lion", "tiger")
SAMPLE = Sample(
    frame_id="k3v9w2xa.17",
    kind=Kind.FRAME,
    of=None,
    family="animals",
    reason=Reason.NEAR_THRESHOLD,
    received_at=1_800_000_000.0,
    stored_at=1_800_000_000.0,
    bytes=900,
    answer="lion",
    confidence=0.4,
    model="animals/2",
    match=Match.EXACT,
    tables="v2",
    label=None,
    source=None,
    is_correct=None,
    is_foreign=None,
    is_reviewed=False,
    is_audited=False,
    labelled_at=None,
    labelled_by=None,
)
SHOWN = Shown(SAMPLE, ANIMALS, is_blind=False)
RIGHT = Labelled(is_correct=True, is_foreign=False, is_first=True, stands=True)


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server that keeps every frame, for its low confidence."""
    with server_in_thread(tmp_path_factory.mktemp("unsure"), wait_max_seconds=30, **KEEP_UNSURE) as harness:
        harness.publish(bundle_folders[1])
        harness.assign(FAMILY, 1)
        yield harness


@pytest.fixture(scope="module")
def ada(unsure: ServerHarness) -> ConsoleClient:
    """A trainer."""
    return logged_in(unsure, "ada", Role.TRAINER)


@pytest.fixture
def frame_id(unsure: ServerHarness) -> str:
    """A frame that was just kept."""
    name: str = answered(unsure.enrol(FAMILY))["id"]
    kept(unsure, name)
    return name


def fields(frame_id: str, **more: str) -> dict[str, str]:
    """What every form of the page sends."""
    return {"frame": frame_id, "family": FAMILY, "reason": "", **more}


def test_a_frame_is_labelled_by_its_form_and_the_label_is_audited(
    unsure: ServerHarness, ada: ConsoleClient, frame_id: str
) -> None:
    said = unescape(ada.done("/review/label", fields(frame_id, label="three"), PAGE))
    assert f"{frame_id} is labelled three; the classifier had said" in said
    sample = kept(unsure, frame_id)
    assert (sample["label"], sample["source"], sample["labelled_by"]) == ("three", "human", "ada")
    rows = unsure.client("operator").get("/v1/audit", params={"subject": frame_id}).json()["entries"]
    assert [(row["action"], row["operator"], row["after"]["label"]) for row in rows] == [
        ("frame.label", "ada", "three")
    ]


def test_an_undone_label_is_gone_and_the_frame_is_shown_again(
    unsure: ServerHarness, ada: ConsoleClient, frame_id: str
) -> None:
    ada.done("/review/label", fields(frame_id, label="three"), PAGE)
    assert f'value="{frame_id}"' in ada.get(PAGE), "the page offers to take it back"
    page = unescape(ada.done("/review/undo", fields(frame_id), PAGE))
    assert "is as it was before" in page and f"/frames/{frame_id}/jpeg" in page
    assert kept(unsure, frame_id)["label"] is None
    rows = unsure.client("operator").get("/v1/audit", params={"subject": frame_id}).json()["entries"]
    assert [row["action"] for row in rows] == ["frame.label.undo", "frame.label"]
    ada.done("/review/label", fields(frame_id, label="one"), PAGE)


def test_two_people_look_at_different_frames(unsure: ServerHarness, ada: ConsoleClient) -> None:
    device = unsure.enrol(FAMILY)
    names = [answered(device, seed)["id"] for seed in range(2)]
    for name in names:
        kept(unsure, name)
    bob = logged_in(unsure, "bob", Role.TRAINER)
    shown = [next(name for name in names if f"/frames/{name}/jpeg" in who.get(PAGE)) for who in (bob, ada)]
    assert sorted(shown) == sorted(names)
    for who, name in zip((bob, ada), shown, strict=True):
        who.done("/review/label", fields(name, label="one"), PAGE)


def test_a_skipped_frame_is_not_shown_again_to_whoever_skipped_it(ada: ConsoleClient, frame_id: str) -> None:
    assert f"/frames/{frame_id}/jpeg" in ada.get(PAGE)
    assert f"/frames/{frame_id}/jpeg" not in ada.done("/review/skip", fields(frame_id), PAGE)


def test_labels_are_searched_and_a_foreign_one_is_named_as_such(ada: ConsoleClient, frame_id: str) -> None:
    page = ada.get(f"{PAGE}&q=thr")
    assert 'value="three"' in page and 'value="three" data-press="1"' in page
    page = unescape(ada.get(f"{PAGE}&q=<b>"))
    assert "No label is called so" in page and "which no classifier of the family knows" in page
    said = unescape(ada.done("/review/label", fields(frame_id, label="<b>"), PAGE))
    assert f"{frame_id} is labelled <b>" in said and "No classifier of the family knows this label" in said


def test_every_label_can_be_given_without_javascript(ada: ConsoleClient, frame_id: str) -> None:
    page = ada.get(PAGE)
    assert f"/frames/{frame_id}/jpeg" in page
    for label in LABELS:
        assert f'value="{label}"' in page


@pytest.mark.parametrize(
    "wrong",
    [{"label": ""}, {"frame": "nobody.1", "label": "one"}, {"frame": "x", "label": "one"}, {"label": "x" * 129}],
)
def test_what_cannot_be_labelled_is_said_on_the_page(ada: ConsoleClient, frame_id: str, wrong: dict[str, str]) -> None:
    page = ada.done("/review/label", fields(frame_id) | wrong, PAGE)
    assert 'role="alert"' in page


def test_a_viewer_labels_nothing(unsure: ServerHarness, frame_id: str) -> None:
    viewer = logged_in(unsure, "vera", Role.VIEWER)
    viewer.get("/review", status=403)
    answer = viewer.post("/review/label", fields(frame_id, label="one"), "/")
    assert answer.status_code == 403
    assert kept(unsure, frame_id)["label"] is None


def test_a_family_that_is_none_is_not_found(ada: ConsoleClient, frame_id: str) -> None:
    ada.get("/review?family=birds", status=404)


def test_each_suggestion_has_its_digit_and_the_answer_stands_out() -> None:
    offered = [(one.label, one.key, one.is_answer) for one in choices(SHOWN, "", ANIMALS)]
    assert offered == [("sea lion", "1", False), ("lion", "2", True), ("tiger", "3", False)]


def test_of_a_blind_frame_no_label_stands_out() -> None:
    blind = replace(SHOWN, is_blind=True)
    assert not any(one.is_answer for one in choices(blind, "", ANIMALS))


def test_a_search_offers_what_it_finds() -> None:
    assert [(one.label, one.key) for one in choices(SHOWN, "lion", ANIMALS)] == [("lion", "1"), ("sea lion", "2")]
    assert choices(SHOWN, "dog", ANIMALS) == ()


@pytest.mark.parametrize(
    ("reason", "labelled", "said"),
    [
        (
            Reason.RARE_CLASS,
            RIGHT,
            "k3v9w2xa.17 is labelled lion; the classifier had said lion (40 %), which was right.",
        ),
        (Reason.RANDOM, RIGHT, "k3v9w2xa.17 is labelled lion."),
        (
            Reason.RANDOM,
            replace(RIGHT, is_foreign=True, is_correct=False),
            "k3v9w2xa.17 is labelled lion. No classifier of the family knows this label.",
        ),
        (
            Reason.RARE_CLASS,
            replace(RIGHT, stands=False),
            "k3v9w2xa.17 keeps its label: one of higher authority is there.",
        ),
    ],
)
def test_what_came_of_a_label_is_said_and_nothing_that_sways_an_audit(
    reason: Reason, labelled: Labelled, said: str
) -> None:
    assert said_of(Reviewed(SAMPLE.model_copy(update={"reason": reason}), labelled), "lion") == said


def test_a_queue_is_found_again_by_its_address() -> None:
    assert Queue("animals", None).address() == "/console/review?family=animals"
    wanted = Queue("street/lamps", Reason.RANDOM).address(q="a b")
    assert wanted == "/console/review?family=street%2Flamps&reason=random&q=a+b"


def test_what_answered_is_named_in_short() -> None:
    assert (version_of("animals/2"), version_of("animals/fallback-3f0c2a")) == ("v2", "fallback-3f0c2a")


def test_a_kept_frame_says_why_it_was_kept_and_how_it_fitted() -> None:
    assert (kept_picture(SAMPLE).note, kept_picture(SAMPLE).kind) == ("low confidence", "quiet")
    resized = SAMPLE.model_copy(update={"match": Match.RESIZED})
    assert (kept_picture(resized).note, kept_picture(resized).kind) == ("low confidence, match: resized", "warn")
    assert (kept_picture(SAMPLE).device, kept_picture(SAMPLE).at) == ("k3v9w2xa", "08:00:00")
