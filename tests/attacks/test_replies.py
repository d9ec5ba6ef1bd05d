"""Replies that are none of the server's, or more than a camera bargained for: it loses no frame and goes on."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.fault_proxy import FaultProxy
from harness.faults import (
    AnswerItself,
    Cut,
    Delay,
    Drip,
    Endless1xx,
    EndlessBody,
    EndlessHead,
    Exchange,
    Fault,
    ProxiedReply,
    ProxiedRequest,
    Replace,
    Replay,
    Silence,
)
from harness.processes import Running
from sensor_client.http_line import DEADLINE_SECONDS
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field, stories

FRAMES = 30
MANY = 1 << 13


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that has its tables."""
    camera = field.camera(tmp_path, field.family(50), line)
    camera.shoot(1)
    return camera


def uploads(line: FaultProxy) -> int:
    """How many times frames were sent, with success or without."""
    return len(line.asked("/v1/frames"))


def refusal(code: ProblemCode, answered: str = "", highest_sequence: int | None = None) -> ProxiedReply:
    """A problem document as the server's own, of whoever holds the line."""
    body = Problem.of(code, "because", highest_sequence=highest_sequence).model_dump_json().encode()
    named = {"dw-answered": answered} if answered else {}
    return ProxiedReply(code.status, {"content-type": PROBLEM_MEDIA_TYPE, **named}, body)


PORTALS: dict[str, Callable[[ProxiedRequest], ProxiedReply]] = {
    "nothing but a 204": lambda request: ProxiedReply(204),
    "a page of its own": lambda request: ProxiedReply(200, {"content-type": "text/html"}, b"<html>Welcome!</html>"),
    "a redirect": lambda request: ProxiedReply(302, {"location": "http://portal.example/"}),
    "511": lambda request: ProxiedReply(511, {"content-type": "text/html"}, b"<html>Log in</html>"),
    "an empty JSON object": lambda request: ProxiedReply(200, {"content-type": "application/json"}, b"{}"),
    "the name of another frame": lambda request: ProxiedReply(204, {"dw-answered": "zzzzzzzz.1 exact"}),
    "a problem that names no frame": lambda request: refusal(ProblemCode.CORRUPT_JPEG),
    "a problem of another frame": lambda request: refusal(ProblemCode.CORRUPT_JPEG, "zzzzzzzz.1 refused"),
    "a number that is said to be taken": lambda request: refusal(ProblemCode.SEQUENCE_TAKEN, highest_sequence=2**61),
    "tables that are said to be unknown": lambda request: refusal(ProblemCode.UNKNOWN_TABLES),
    "431 for too large a head": lambda request: ProxiedReply(431, {"content-type": "text/plain"}, b"no"),
    "400 for too large a head": lambda request: ProxiedReply(400, {"content-type": "text/html"}, b"<html>no</html>"),
}


@pytest.mark.parametrize("batch", [1, pytest.param(8, marks=pytest.mark.system)])
@pytest.mark.parametrize(
    "portal", stories(PORTALS, "nothing but a 204", "the name of another frame", "a problem that names no frame")
)
def test_a_captive_portal_answers_in_the_servers_place(
    field: Field, line: FaultProxy, camera: Camera, portal: str, batch: int
) -> None:
    """A portal answers every request by itself until somebody logs in.

    No frame leaves the camera on its word: all of them are with the server at the end.
    """
    before = uploads(line)
    line.add("/", AnswerItself(PORTALS[portal]))
    with camera.delivering(FRAMES, "--batch", batch, "--linger", 0.2):
        line.until(lambda: uploads(line) >= before + 3)
        line.remove()
    field.require_nothing_lost(camera)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_frame_is_too_large_for_the_server(tmp_path: Path, batch: int) -> None:
    """One picture of 21 makes a frame larger than the server takes.

    The server refuses it by name, so it is sent alone once and becomes a dead letter, and the others are answered.
    """
    with contextlib.closing(Field(tmp_path, frame_max_bytes=1024, batch_max_bytes=1500)) as field:
        noise = np.random.default_rng(7).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).save(field.pictures / "A" / "10-noise.png")
        with field.line() as line:
            camera = field.camera(tmp_path, field.family(95), line)
            logged = camera.shoot(21, "--batch", batch)
            refused = [event for event in logged if event["event"] == "frame-refused"]
            assert [(event["code"], event["status"]) for event in refused] == [("too-large", 413)]
            assert (camera.status.spooled_frames, camera.status.dead_letters) == (0, 1)
            assert camera.status.counters["acknowledged"] == len(field.answered(camera)) == 20


ODD_HEADERS = {
    "a large cookie": {"set_cookie": "a=" + "x" * 3 * MANY},
    "cookies that a later request would carry": {"set_cookie": "session=abc; Path=/"},
    "an ETag and an assignment of no alphabet": {"etag": '"\xe9\xff"', "dw_assignment": "\xb2\xb3"},
    "a header larger than any": {"x_giant": "x" * 5 * MANY},
    "an answer of no alphabet": {"dw_answered": "\xe9" * 40},
    "39 KB of cookies": {"set_cookie": "session=" + "x" * 39_000 + "; Path=/"},
    "a Retry-After of years": {"retry_after": "9" * 18},
    "an assignment larger than any number": {"dw_assignment": "9" * 4000},
}


@pytest.mark.parametrize(
    "odd",
    stories(ODD_HEADERS, "a large cookie", "an ETag and an assignment of no alphabet", "a header larger than any"),
)
def test_a_proxy_adds_headers_to_every_reply(field: Field, line: FaultProxy, camera: Camera, odd: str) -> None:
    """A proxy adds headers to every reply for a while, larger or odder than any server's.

    Nothing of them comes back in a request, no frame is refused or lost, and nothing ends.
    """
    before = uploads(line)
    line.add("/", Replace(lambda reply: reply.with_headers(**ODD_HEADERS[odd])))
    with camera.delivering(FRAMES):
        line.until(lambda: uploads(line) >= before + 3)
        line.remove()
    field.require_nothing_lost(camera)
    assert not any("cookie" in request.headers for request in line.requests)


def test_a_busy_server_explains_itself_at_length(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Three answers are 503 with a problem whose detail is a megabyte long.

    The log stays short, and no frame is lost.
    """
    problem = Problem.of(ProblemCode.NOT_READY, "x" * 1_000_000).model_dump_json().encode()
    line.add(
        "/v1/frames", AnswerItself(lambda _: ProxiedReply(503, {"content-type": PROBLEM_MEDIA_TYPE}, problem)), times=3
    )
    with camera.delivering(FRAMES):
        pass
    field.require_nothing_lost(camera)
    assert "not-ready" in camera.log.read_text() and camera.log.stat().st_size < 100_000


@dataclass(frozen=True)
class FailsOver:
    """A gateway behind which one frame breaks the server each time; everything else goes through."""

    number: str

    async def __call__(self, exchange: Exchange) -> bool:
        """Answer 504 to this frame."""
        if exchange.request.headers.get("dw-sequence") == self.number:
            await exchange.send(ProxiedReply(504, {"content-type": "text/html"}, b"<h1>Timed out</h1>").to_bytes())
        else:
            await exchange.send((await exchange.forward()).to_bytes())
        return True


def test_one_frame_is_always_answered_504(field: Field, line: FaultProxy, camera: Camera) -> None:
    """The third frame to come is answered 504 by a gateway whenever it is sent, for as long as the gateway is there.

    All the others are delivered meanwhile, and it is once the gateway is gone.
    """
    number = camera.status.counters["encoded"] + 3
    line.add("/v1/frames", FailsOver(str(number)))
    with camera.running("--count", 12) as program:
        program.wait_for(lambda: len(field.answered(camera)) >= number + 8, PATIENCE_SECONDS, "the others")
        assert number not in field.answered(camera) and camera.status.spooled_frames >= 1
    line.remove()
    camera.shoot(1)
    field.require_nothing_lost(camera)


def test_labels_are_answered_503_and_frames_go_on(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Every label is answered 503, while 39 frames are taken.

    All frames are answered, the labels wait, and they are told once the server takes them.
    """
    before = len(field.answered(camera))
    line.add("/v1/frames/", AnswerItself(lambda request: refusal(ProblemCode.NOT_READY)), method="PUT")
    with camera.running("--send-labels", "--count", 39) as program:
        program.wait_for(lambda: len(field.answered(camera)) == before + 39, PATIENCE_SECONDS, "the frames")
        assert camera.status.waiting_labels == 39
    line.remove()
    camera.shoot(1, "--send-labels")
    field.require_nothing_lost(camera)
    assert camera.status.waiting_labels == 0 and camera.status.counters["labels_sent"] == 40


@pytest.mark.system
@pytest.mark.parametrize("endless", ["a reply by the byte", "continue without end"])
def test_a_camera_is_stopped_while_a_reply_never_ends(
    field: Field, line: FaultProxy, camera: Camera, endless: str
) -> None:
    """SIGTERM comes while the line never ends the reply to an upload.

    The program ends in order within the deadline of that exchange, and its frames are delivered at the next start.
    """
    before = uploads(line)
    line.add("/v1/frames", ENDLESS[endless])
    command = ("dctwire-sensor", "run", "--state", str(camera.state), "--source", str(camera.pictures), "--rate", "20")
    with Running(command, camera.log) as program:
        line.until(lambda: uploads(line) > before)
        os.kill(program.pid, signal.SIGTERM)
        program.wait(DEADLINE_SECONDS + 10.0)
    line.remove()
    camera.shoot(1)
    field.require_nothing_lost(camera)


BROKEN: dict[str, Fault] = {
    "cut before the first byte": Cut(),
    "cut in its head": Cut(at_byte=20),
    "cut in its body": Cut(at_byte=200),
    "reset": Cut(at_byte=20, with_reset=True),
}


@pytest.mark.parametrize("broken", stories(BROKEN, "reset"))
def test_replies_to_uploads_are_lost_after_the_server_took_the_frame(
    field: Field, line: FaultProxy, camera: Camera, broken: str
) -> None:
    """The line loses three replies in a row to frames that the server has taken.

    They are sent again under their numbers, count once, and none is lost.
    """
    line.add("/v1/frames", BROKEN[broken], times=3)
    with camera.delivering(FRAMES):
        pass
    field.require_nothing_lost(camera)


def test_the_answer_to_an_earlier_frame_is_replayed(field: Field, line: FaultProxy, camera: Camera) -> None:
    """Whoever holds the line answers three uploads with the reply to an earlier frame, and the server hears of none.

    No frame leaves the camera on the name of another one.
    """
    line.add("/v1/frames", Replay(), times=3)
    with camera.delivering(FRAMES):
        pass
    field.require_nothing_lost(camera)


ENDLESS: dict[str, Fault] = {
    "a reply by the byte": Drip(bytes_per_second=1),
    "a body by the byte": Drip(bytes_per_second=1, whole_head=True),
    "interim replies without end": Endless1xx(),
    "continue without end": Endless1xx(status=100),
    "a head without end": EndlessHead(),
    "a body without end": EndlessBody(),
    "a slow body without end": EndlessBody(pause_seconds=0.5),
    "a body that ends with the connection, never": EndlessBody(is_chunked=False),
    "silence": Silence(),
    "an answer after a minute": Delay(60),
}


@pytest.mark.parametrize(
    "endless", stories(ENDLESS, "a reply by the byte", "interim replies without end", "a slow body without end")
)
def test_updates_hang_and_uploads_go_on(field: Field, line: FaultProxy, camera: Camera, endless: str) -> None:
    """Whoever holds the line never ends a reply to a question about updates, while frames are answered.

    Frames go on being taken and answered, and the bundle assigned meanwhile is run once the line is honest.
    """
    family = str(camera.status.family)
    field.publish(family, 2, 30)
    faults = [line.add(path, ENDLESS[endless]) for path in ("/v1/assignment", "/tuf/")]
    field.harness.assign(family, 2)
    with camera.running() as program:
        line.until(lambda: bool(line.asked("/v1/assignment")))
        during = len(field.answered(camera))
        program.wait_for(lambda: len(field.answered(camera)) >= during + 20, PATIENCE_SECONDS, "frames meanwhile")
        line.remove(*faults)
        line.go_down()
        line.come_up()
        program.wait_for(lambda: "v2" in field.answered(camera).values(), PATIENCE_SECONDS, "frames of version 2")


@pytest.mark.system
@pytest.mark.parametrize("endless", ENDLESS)
def test_a_reply_to_an_upload_never_ends(field: Field, line: FaultProxy, camera: Camera, endless: str) -> None:
    """Whoever holds the line never ends the reply to an upload.

    The camera gives it up within its deadline, and no frame is lost.
    """
    line.add("/v1/frames", ENDLESS[endless], times=1)
    with camera.delivering(FRAMES):
        pass
    field.require_nothing_lost(camera)


def test_the_link_flaps(field: Field, line: FaultProxy, camera: Camera) -> None:
    """The link is up for moments and down for moments, and breaks what is under way each time.

    What is taken meanwhile waits, and all of it is delivered once.
    """
    before = uploads(line)
    with camera.delivering(5 * FRAMES, rate=40):
        for upload in range(1, 8):
            line.until(lambda n=upload: uploads(line) >= before + 3 * n)  # type: ignore[misc]
            line.go_down()
            line.come_up()
    field.require_nothing_lost(camera)
