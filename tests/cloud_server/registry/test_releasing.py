"""Publishing a fallback changes no answer, releasing it does, and withdrawing it takes that back: at every process."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.bundle import Fallback
from shared.jpeg import Stream
from shared.wire import ProblemCode
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

RELEASED = "/v1/fallbacks/digits/released"
OTHER = frame(tables(80), 1, Stream.INTERCHANGE)
"""A frame of tables that no bundle has."""


@pytest.fixture
def served(engine: Engine, tmp_path: Path) -> Iterator[ServerHarness]:
    """A server whose family digits has one bundle."""
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    with server_in_thread(tmp_path / "server", engine) as harness:
        harness.publish(tmp_path / "v1")
        yield harness


def published(harness: ServerHarness, folder: Path, seed: int = 7) -> Fallback:
    """A fallback, published."""
    fallback = write_fallback(folder, "digits", seed=seed)
    harness.publish(folder)
    return fallback


def answer(device: Device) -> str:
    """Who answers a frame of other tables."""
    return str(device.post(OTHER).json()["model"])


def rows(harness: ServerHarness) -> dict[str, dict[str, Any]]:
    """The fallbacks, by name."""
    return {row["name"]: row for row in harness.client("operator").get("/v1/fallbacks").json()["fallbacks"]}


def changes(harness: ServerHarness) -> list[tuple[str, str, Any, Any]]:
    """What the audit says of releases, the oldest first."""
    every = harness.client("operator").get("/v1/audit").json()["entries"]
    kinds = ("fallback.release", "fallback.withdraw")
    return [
        (row["action"], row["subject"], row["before"], row["after"])
        for row in reversed(every)
        if row["action"] in kinds
    ]


def test_a_fallback_answers_from_its_release_until_it_is_withdrawn_and_all_of_it_is_audited(
    served: ServerHarness, tmp_path: Path
) -> None:
    operator, device = served.client("operator"), served.enrol("digits")
    first, second = published(served, tmp_path / "one"), published(served, tmp_path / "two", seed=8)
    assert answer(device) == "digits/1"
    for fallback in (first, second, first):
        for _ in range(2):  # the second time changes nothing
            released = operator.put(RELEASED, json={"name": fallback.name})
            assert (released.status_code, released.json()) == (200, {"family": "digits", "name": fallback.name})
        assert answer(device) == fallback.name
        assert [name for name, row in rows(served).items() if row["is_released"]] == [fallback.name]
    for _ in range(2):
        withdrawn = operator.delete(RELEASED)
        assert (withdrawn.status_code, withdrawn.json()) == (200, {"family": "digits", "name": None})
    assert answer(device) == "digits/1"
    assert {row["state"] for row in rows(served).values()} == {"cold"}
    one, two = {"name": first.name}, {"name": second.name}
    assert changes(served) == [
        ("fallback.release", "digits", None, one),
        ("fallback.release", "digits", one, two),
        ("fallback.release", "digits", two, one),
        ("fallback.withdraw", "digits", one, None),
    ]


def test_what_is_no_published_fallback_of_the_family_is_not_released(served: ServerHarness, tmp_path: Path) -> None:
    operator = served.client("operator")
    fallback = published(served, tmp_path / "one")
    for path, name, status, code in (
        (RELEASED, "digits/fallback-000000", 404, ProblemCode.NOT_FOUND),
        ("/v1/fallbacks/letters/released", fallback.name, 404, ProblemCode.NOT_FOUND),
        (RELEASED, "digits/1", 400, ProblemCode.BAD_REQUEST),
    ):
        assert_problem(operator.put(path, json={"name": name}), status, code)
    assert changes(served) == []


def test_a_fallback_whose_classifier_is_gone_is_not_released(tmp_path: Path) -> None:
    with server_in_thread(tmp_path / "server") as harness:
        fallback = published(harness, tmp_path / "one")
        gone = str(rows(harness)[fallback.name]["classifier_sha256"])
        (tmp_path / "server" / "data" / "blobs" / gone[:2] / gone).unlink()
        refused = harness.client("operator").put(RELEASED, json={"name": fallback.name})
        assert_problem(refused, 409, ProblemCode.CONFLICT)
        assert "cannot be loaded" in refused.json()["detail"]
        assert not rows(harness)[fallback.name]["is_released"]


def test_the_released_and_the_newest_stay_listed_and_others_are_released_once_they_are_listed_anew(
    served: ServerHarness, tmp_path: Path
) -> None:
    first = published(served, tmp_path / "1", seed=1)
    served.release(first.name)
    second, third, fourth = (published(served, tmp_path / str(seed), seed) for seed in (2, 3, 4))
    listed = [name for name, row in rows(served).items() if row["is_listed"]]
    assert listed == [first.name, third.name, fourth.name], "and the newest before what was signed now"
    refused = served.client("operator").put(RELEASED, json={"name": second.name})
    assert_problem(refused, 409, ProblemCode.NOT_LISTED)
    assert answer(served.enrol("digits")) == first.name
    served.publish(tmp_path / "2")
    served.release(second.name)
    assert answer(served.enrol("digits")) == second.name


def test_every_process_follows(outgrown: Outgrown, tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    with server_in_thread(tmp_path / "one", outgrown) as one:
        for folder in ("keys", "data"):
            shutil.copytree(tmp_path / "one" / folder, tmp_path / "two" / folder, ignore=shutil.ignore_patterns("lock"))
        outgrown.share(tmp_path / "two" / "data", one.data)
        one.publish(tmp_path / "v1")
        with server_in_thread(tmp_path / "two", outgrown) as two:
            fallback, device = published(one, tmp_path / "any"), two.enrol("digits")
            wait_until(lambda: fallback.name in rows(two))
            assert answer(device) == "digits/1"
            one.release(fallback.name)
            wait_until(lambda: answer(device) == fallback.name)
            wait_until(lambda: rows(two)[fallback.name]["state"] == "loaded")
            one.client("operator").delete(RELEASED)
            wait_until(lambda: answer(device) == "digits/1")
            wait_until(lambda: rows(two)[fallback.name]["state"] == "cold")
