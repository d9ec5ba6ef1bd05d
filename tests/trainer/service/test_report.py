"""The report of a training, as Markdown and as one HTML file."""

import re
from pathlib import Path
from typing import Any

import pytest

from cloud_server.trainings.document import RunDocument
from tests.trainer.service.examples import NOW, measured, pair
from trainer.service.configuration import Gates
from trainer.service.document import document_of
from trainer.service.gates import judged
from trainer.service.job_state import (
    Attempt,
    AttemptKind,
    Champion,
    Cost,
    Ended,
    Job,
    JobFolder,
    Learned,
    Outcome,
    Published,
    Pulled,
    Rollout,
    SetAside,
)
from trainer.service.report import write_report
from trainer.service.signals import Trigger

LEARNED = Learned(
    data_digest="d" * 64,
    recipe_digest="e" * 64,
    sources={"base": 5000, "human": 900},
    set_aside=(SetAside(device="k3vq7x2a", why="9 of its 9 labels contradict"),),
    left_out={"twins": 18, "held-out-by-time": 7},
)


def job(**changes: Any) -> Job:
    """A training that was published and is to be rolled out."""
    found = measured()
    attempt = Attempt(
        kind=AttemptKind.CLASSIFIER,
        budget=None,
        learned=LEARNED,
        measured=found,
        verdicts=judged(found, ("k3vq7x2a",), Gates()),
    )
    usual: dict[str, Any] = {
        "run": "q3f7a2kd",
        "family": "doorbell",
        "trigger": Trigger.DRIFT,
        "reason": "frames look different: y_energy",
        "worker": "trainer-1",
        "began_at": NOW,
        "data_until": NOW - 1,
        "starts": 2,
        "champion": Champion(run=Path("r"), bundle=Path("b"), counter=1, classifier_sha256="a" * 64, scan_bytes=99.0),
        "counter": 2,
        "pulled": Pulled(frames=1200, fetched=300, classes=10, left_out={"expired": 3, "foreign": 0}),
        "attempts": (attempt,),
        "published": Published(attempt=AttemptKind.CLASSIFIER, is_signed=True),
        "rollout": Rollout(
            rollout="k3vq7x2a",
            is_started=False,
            words="rollout k3vq7x2a waits as a draft",
            commands=("dctwire rollout resume k3vq7x2a",),
        ),
        "ended": Ended(outcome=Outcome.DRAFT, reason="all gates let it through", at=NOW + 60),
        "steps": {"pull": 1.5, "train-classifier": 50.0},
        "cost": Cost(wall_seconds=51.5, cpu_seconds=48.0, peak_bytes=700 * 2**20),
    }
    return Job.model_validate(usual | changes)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path)


def test_both_files_say_what_came_of_it_why_and_what_it_took(folder: JobFolder) -> None:
    write_report(folder, job())
    text, page = (folder.path / "report.md").read_text(), (folder.path / "report.html").read_text()
    for words in (
        "Training q3f7a2kd of doorbell",
        "because of",
        "frames look different: y_energy",
        "dctwire rollout resume k3vq7x2a",
        "on the frozen holdout 74.0% instead of 70.0% (n = 100)",
        "+25.00 points (+20.00 to +30.00), McNemar p = 0.39",
        "Left out: 3 expired.",
        "9 of its 9 labels contradict",
        "not learned from: 18 twins of the frozen holdout, 7 held out by time.",
        "700 MiB",
        "d" * 64,
    ):
        assert words in text, words
        assert words in page, words


def test_the_page_loads_nothing_and_shows_both_plots(folder: JobFolder) -> None:
    write_report(folder, job())
    page = (folder.path / "report.html").read_text()
    assert len(re.findall(r'<img alt="[^"]+" src="data:image/png;base64,[A-Za-z0-9+/=]{1000,}">', page)) == 2
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    text = (folder.path / "report.md").read_text()
    for file in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        assert (folder.path / file).read_bytes().startswith(b"\x89PNG")


def test_what_strangers_wrote_changes_neither_file(folder: JobFolder) -> None:
    odd = pair().classes[0].model_copy(update={"label": "<script>alert(1)</script> | $x$\n# no"})
    found = measured(holdout=pair(classes=(odd, odd.model_copy(update={"label": "b"}))))
    made = job()
    changed = made.attempts[0].model_copy(update={"measured": found})
    write_report(folder, made.model_copy(update={"attempts": (changed,)}))
    assert "<script>" not in (folder.path / "report.html").read_text()
    (row,) = [line for line in (folder.path / "report.md").read_text().splitlines() if "alert" in line]
    assert r"&lt;/script&gt; \| $x$ # no |" in row


def test_a_training_that_failed_before_anything_was_measured_has_a_report_too(folder: JobFolder) -> None:
    ended = Ended(outcome=Outcome.FAILED, reason="no space is left", at=NOW)
    write_report(folder, job(attempts=(), published=None, rollout=None, pulled=None, champion=None, ended=ended))
    assert "**failed**" in (folder.path / "report.md").read_text()


def test_the_servers_document_has_the_attempt_that_was_published() -> None:
    worse = measured(holdout=pair(low=-0.5))
    refused = Attempt(
        kind=AttemptKind.TABLES,
        budget=90.0,
        learned=LEARNED,
        measured=worse,
        verdicts=judged(worse, (), Gates()),
    )
    made = job()
    told = document_of(made.model_copy(update={"attempts": (*made.attempts, refused)}))
    assert {verdict["opinion"] for verdict in told["verdicts"]} == {"pass"}
    assert (told["parent"], told["counter"], told["rollout"]) == ("doorbell/1", 2, "k3vq7x2a")
    assert told["commands"] == ["dctwire rollout resume k3vq7x2a"]
    assert told["data_until"] == NOW - 1
    assert RunDocument.model_validate(told).left_out == {"twins": 18, "held-out-by-time": 7}
