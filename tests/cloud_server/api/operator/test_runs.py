"""The operator plane keeps the record of trainings: who may do what to it, and what is told of it."""

from typing import Any

import httpx
import pytest

from cloud_server.operators.roles import Role
from shared.wire import ProblemCode
from tests.cloud_server.conftest import FAMILY
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness

TAKE = {"family": FAMILY, "trigger": "labels", "worker": "trainer-1", "seconds": 60}
HOLDS = {"gate": "accuracy", "opinion": "pass", "words": "It is better by 1.2 points."}
REFUSES = {"gate": "per-class", "opinion": "refuse", "words": "It has lost the class seven."}


@pytest.fixture
def trainer(harness: ServerHarness) -> httpx.Client:
    """A client of the role trainer; no run of the family is open."""
    client = harness.operator("trude", Role.TRAINER)
    for run in harness.client("operator").get("/v1/runs", params={"family": FAMILY}).json()["runs"]:
        if run["state"] != "ended":
            harness.client("operator").post(f"/v1/runs/{run['id']}/cancel", json={})
    return client


def taken(trainer: httpx.Client, **changes: Any) -> dict[str, Any]:
    """A run that a worker has."""
    answer = trainer.post("/v1/runs/take", json=TAKE | changes)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_a_run_goes_from_being_asked_for_to_being_published_and_each_step_is_audited(
    harness: ServerHarness, trainer: httpx.Client
) -> None:
    operator = harness.operator("otto", Role.OPERATOR)
    asked = operator.post("/v1/runs", json={"family": FAMILY, "reason": "new lamps"})
    assert asked.status_code == 201, asked.text
    run = taken(trainer)
    assert (run["id"], run["trigger"], run["asked_by"]) == (asked.json()["id"], "operator", "otto")
    told = trainer.post(
        f"/v1/runs/{run['id']}/tell", json={"worker": "trainer-1", "seconds": 60, "stage": "train", "share": 0.5}
    )
    assert (told.json()["stage"], told.json()["share"]) == ("train", 0.5)
    document = {"verdicts": [HOLDS], "counter": 2, "cost": {"wall_seconds": 12.5}}
    ending = {"worker": "trainer-1", "outcome": "published", "document": document}
    before = harness.scrape()
    assert trainer.post(f"/v1/runs/{run['id']}/end", json=ending).status_code == 200
    whole = operator.get(f"/v1/runs/{run['id']}").json()
    assert (whole["state"], whole["outcome"], whole["counter"]) == ("ended", "published", 2)
    assert whole["document"]["verdicts"] == [HOLDS]
    after = harness.scrape()
    for name, labels, grown in (
        ("dctwire_trainer_runs_total", {"outcome": "published"}, 1),
        ("dctwire_trainer_gate_verdicts_total", {"gate": "accuracy", "opinion": "pass"}, 1),
        ("dctwire_trainer_run_seconds_total", {}, 12.5),
    ):
        of = {"family": FAMILY, **labels}
        assert after.value(name, **of) - before.value(name, **of) == grown, name
    entries = operator.get("/v1/audit", params={"limit": 3}).json()["entries"]
    assert [(one["action"], one["operator"], one["subject"]) for one in entries] == [
        ("run.published", "trude", run["id"]),
        ("run.take", "trude", FAMILY),
        ("run.ask", "otto", FAMILY),
    ]
    assert (entries[0]["after"]["run"], entries[0]["after"]["counter"]) == (run["id"], 2)


def test_a_refused_run_says_by_which_gate(harness: ServerHarness, trainer: httpx.Client) -> None:
    run = taken(trainer)
    ending = {"worker": "trainer-1", "outcome": "refused", "document": {"verdicts": [HOLDS]}}
    assert_problem(trainer.post(f"/v1/runs/{run['id']}/end", json=ending), 400, ProblemCode.BAD_REQUEST)
    ending["document"] = {"verdicts": [HOLDS, REFUSES]}
    assert trainer.post(f"/v1/runs/{run['id']}/end", json=ending).json()["outcome"] == "refused"
    [newest] = trainer.get("/v1/runs", params={"limit": 1}).json()["runs"]
    assert newest["id"] == run["id"]
    assert harness.client("operator").get("/v1/audit").json()["entries"][0]["action"] == "run.refused"


def test_a_worker_that_lost_its_run_is_told_to_stop(harness: ServerHarness, trainer: httpx.Client) -> None:
    run = taken(trainer)
    assert_problem(trainer.post("/v1/runs/take", json=TAKE | {"worker": "other"}), 409, ProblemCode.CONFLICT)
    cancelled = harness.operator("otto", Role.OPERATOR).post(f"/v1/runs/{run['id']}/cancel", json={})
    assert cancelled.json()["outcome"] == "cancelled"
    telling = trainer.post(f"/v1/runs/{run['id']}/tell", json={"worker": "trainer-1", "seconds": 60})
    assert_problem(telling, 409, ProblemCode.CONFLICT)
    assert "stop" in telling.json()["detail"]


def test_who_may_look_may_not_train_and_who_may_train_may_not_ask(
    harness: ServerHarness, trainer: httpx.Client
) -> None:
    viewer, run = harness.operator("vera", Role.VIEWER), taken(trainer)
    assert viewer.get(f"/v1/runs/{run['id']}").json()["document"] is None
    for client, path, body in (
        (viewer, "/v1/runs/take", TAKE),
        (viewer, f"/v1/runs/{run['id']}/tell", {"worker": "trainer-1", "seconds": 60}),
        (
            viewer,
            f"/v1/runs/{run['id']}/end",
            {"worker": "trainer-1", "outcome": "failed", "document": {"reason": "x"}},
        ),
        (trainer, "/v1/runs", {"family": FAMILY, "reason": None}),
        (trainer, f"/v1/runs/{run['id']}/cancel", {}),
    ):
        assert_problem(client.post(path, json=body), 403, ProblemCode.ROLE_NEEDED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"family": "birds"},
        {"trigger": "whim"},
        {"worker": "no spaces"},
        {"worker": ""},
        {"seconds": 9},
        {"seconds": 3601},
    ],
    ids=str,
)
def test_what_cannot_be_taken_is_refused_by_name(trainer: httpx.Client, wrong: dict[str, Any]) -> None:
    refused = trainer.post("/v1/runs/take", json=TAKE | wrong)
    is_unknown = "family" in wrong
    assert_problem(
        refused, 404 if is_unknown else 400, ProblemCode.NOT_FOUND if is_unknown else ProblemCode.BAD_REQUEST
    )
    assert next(iter(wrong)) in refused.json()["detail"]


def test_a_worker_does_not_cancel_and_a_document_has_its_limits(trainer: httpx.Client) -> None:
    run = taken(trainer)
    ending = {"worker": "trainer-1", "outcome": "cancelled", "document": {}}
    assert "published, draft" in trainer.post(f"/v1/runs/{run['id']}/end", json=ending).json()["detail"]
    many = [REFUSES | {"words": "x" * 500}] * 32
    large = {"verdicts": many, "commands": ["y" * 500] * 16, "set_aside": [{"device": "a", "why": "z" * 500}] * 100}
    ending |= {"outcome": "refused", "document": large}
    assert_problem(trainer.post(f"/v1/runs/{run['id']}/end", json=ending), 413, ProblemCode.TOO_LARGE)


def test_runs_are_listed_a_page_at_a_time_the_newest_first(harness: ServerHarness, trainer: httpx.Client) -> None:
    made = []
    for _ in range(3):
        made.append(taken(trainer)["id"])
        failing = {"worker": "trainer-1", "outcome": "failed", "document": {"reason": "no space is left"}}
        assert trainer.post(f"/v1/runs/{made[-1]}/end", json=failing).status_code == 200
    first = trainer.get("/v1/runs", params={"limit": 2, "family": FAMILY}).json()
    assert [run["id"] for run in first["runs"]] == made[:0:-1]
    following = trainer.get("/v1/runs", params={"limit": 1, "after": first["next"]}).json()
    assert [run["id"] for run in following["runs"]] == made[:1]
    assert trainer.get("/v1/runs", params={"family": "birds"}).json() == {"runs": [], "next": None}
    assert_problem(trainer.get("/v1/runs/aaaaaaaa"), 404, ProblemCode.NOT_FOUND)
