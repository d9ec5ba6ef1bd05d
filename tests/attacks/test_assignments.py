"""Forged and replayed assignments: an unsigned number decides nothing that lasts, and costs no flood of questions."""

import json
import time
from pathlib import Path

import pytest

from harness.fault_proxy import FaultProxy
from harness.faults import AnswerItself, ProxiedReply, Replace, Replay
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field, stories

WATCH_SECONDS = 5.0
QUESTIONS_MAX = 5
"""What a device may ask in the time it is watched: at once, after 2 s, after 4 s more, and one that was due anyway."""


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that runs version 1 of a family; version 2 is published."""
    camera = field.camera(tmp_path, field.family(50, 30), line)
    camera.shoot(1)
    return camera


def questions(line: FaultProxy) -> int:
    """How many times the camera asked for its assignment."""
    return len(line.asked("/v1/assignment"))


def watch(line: FaultProxy) -> None:
    """Look on for so many seconds; what is counted is in real time."""
    end = time.monotonic() + WATCH_SECONDS
    line.until(lambda: time.monotonic() >= end, 4 * WATCH_SECONDS)  # frames come all the while


FORGED_HEADERS = {"higher": "999999999", "lower": "0", "the highest": str(2**63 - 1), "negative": "-1", "none": "x"}


@pytest.mark.parametrize("forged", stories(FORGED_HEADERS, "higher"))
def test_a_header_names_another_assignment_than_the_body(
    field: Field, line: FaultProxy, camera: Camera, forged: str
) -> None:
    """Whoever holds the line names another assignment in every reply than the server does.

    The camera does not ask again and again, and follows the next true assignment once the line is honest.
    """
    lie = line.add("/", Replace(lambda reply: reply.with_headers(dw_assignment=FORGED_HEADERS[forged])))
    with camera.running() as program:
        line.until(lambda: len(line.asked("/v1/frames")) >= 5)
        asked = questions(line)
        watch(line)
        assert questions(line) - asked <= QUESTIONS_MAX
        line.remove(lie)
        field.harness.assign(str(camera.status.family), 2)
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


def test_a_header_names_another_assignment_in_every_reply(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Whoever holds the line counts the assignment up in every single reply.

    The camera does not ask after every frame.
    """
    numbers = iter(range(10**6, 10**9))
    line.add("/", Replace(lambda reply: reply.with_headers(dw_assignment=str(next(numbers)))))
    with camera.running():
        line.until(lambda: len(line.asked("/v1/frames")) >= 5)
        asked = questions(line)
        watch(line)
        assert questions(line) - asked <= QUESTIONS_MAX


FORGED_NUMBERS = {
    "higher": 999_999_999,
    "lower": 1,
    "the highest of all": 2**63 - 1,
    "above that": 2**70,
    "negative": -7,
}


@pytest.mark.parametrize("forged", stories(FORGED_NUMBERS, "the highest of all"))
def test_the_number_of_an_assignment_is_forged(field: Field, line: FaultProxy, camera: Camera, forged: str) -> None:
    """Whoever holds the line gives the true assignment under a number of his own.

    The camera goes on, and follows the next true assignment once the line is honest.
    """
    lies = [
        line.add("/v1/assignment", Replace(lambda reply: with_members(reply, seq=FORGED_NUMBERS[forged]))),
        line.add("/v1/frames", Replace(lambda reply: reply.with_headers(dw_assignment="4711"))),
    ]
    asked = questions(line)
    with camera.running() as program:
        line.until(lambda: questions(line) > asked and len(line.asked("/v1/frames")) >= 10)
        line.remove(*lies)
        field.harness.assign(str(camera.status.family), 2)
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


FORGED_TARGETS = {
    "of another family": "another/1.json",
    "that leads out of its folder": "../../identity.json",
    "from the root of the disk": "/etc/passwd",
    "that is not published": "{family}/77.json",
    "that is a role": "{family}/timestamp.json",
    "without a name": "",
    "longer than any": "x" * 60_000,
    "of no alphabet": "\ud7ff\x00\n",
}


@pytest.mark.parametrize("forged", stories(FORGED_TARGETS, "of another family", "that leads out of its folder"))
def test_an_assignment_names_a_target_that_is_none_of_this_device(
    field: Field, line: FaultProxy, camera: Camera, forged: str
) -> None:
    """Whoever holds the line assigns something that is no bundle of the camera's family.

    It keeps what it runs, its frames are answered, and it follows the next true assignment.
    """
    family = str(camera.status.family)
    target = FORGED_TARGETS[forged].format(family=family)
    lies = [
        line.add("/v1/assignment", Replace(lambda reply: with_members(reply, seq=4711, target=target))),
        line.add("/v1/frames", Replace(lambda reply: reply.with_headers(dw_assignment="4711"))),
    ]
    with camera.running() as program:
        line.until(lambda: questions(line) >= 2)
        during = len(field.answered(camera))
        program.wait_for(lambda: len(field.answered(camera)) >= during + 10, PATIENCE_SECONDS, "frames meanwhile")
        assert camera.status.active_bundle == f"{family}/1"
        line.remove(*lies)
        field.harness.assign(family, 2)
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


def test_an_old_assignment_is_replayed(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Whoever holds the line gives the first assignment again after the second was made.

    The camera stays where it is, asks no oftener for it, and follows the server once the line is honest.
    """
    family = str(camera.status.family)
    lies = [
        line.add("/v1/assignment", Replay()),
        line.add("/v1/frames", Replace(lambda reply: reply.with_headers(dw_assignment="1"))),
    ]
    field.harness.assign(family, 2)
    with camera.running() as program:
        line.until(lambda: len(line.asked("/v1/frames")) >= 5)
        asked = questions(line)
        watch(line)
        assert questions(line) - asked <= QUESTIONS_MAX
        assert camera.status.active_bundle == f"{family}/1"
        line.remove(*lies)
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


def test_an_assignment_is_anything_but_one(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Whoever holds the line answers the question for the assignment with anything that JSON can say.

    Frames go on, and the next true assignment is followed.
    """
    bodies = iter([b"[]", b"null", b'{"seq":1}', b"{" * 5000, b'{"seq":1e400}', b"\xff\xfe", b""] * 100)
    answers = AnswerItself(lambda request: ProxiedReply(200, {"content-type": "application/json"}, next(bodies)))
    lies = [
        line.add("/v1/assignment", answers),
        line.add("/v1/frames", Replace(lambda reply: reply.with_headers(dw_assignment="4711"))),
    ]
    with camera.running() as program:
        line.until(lambda: questions(line) >= 3)
        line.remove(*lies)
        field.harness.assign(str(camera.status.family), 2)
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


def with_members(reply: ProxiedReply, **members: object) -> ProxiedReply:
    """An assignment with other members; what is none stays as it is."""
    if reply.status != 200:
        return reply
    return ProxiedReply(200, reply.headers, json.dumps(json.loads(reply.body) | members).encode())
