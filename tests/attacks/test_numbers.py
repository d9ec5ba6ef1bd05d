"""Numbers that others make a camera's: a thief with its token, and a line that says what it likes of them."""

from pathlib import Path

import pytest

from harness.fault_proxy import FaultProxy
from harness.faults import AnswerItself, ProxiedReply, ProxiedRequest
from sensor_client.state_directory import StateDirectory
from shared.wire import PROBLEM_MEDIA_TYPE, SEQUENCE_ALWAYS_MAX, SEQUENCE_MAX, SEQUENCE_STEP_MAX, Problem, ProblemCode
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables


@pytest.fixture
def camera(field: Field, line: FaultProxy, tmp_path: Path) -> Camera:
    """A camera that has delivered four pictures."""
    camera = field.camera(tmp_path, field.family(50), line)
    camera.shoot(4)
    return camera


@pytest.fixture
def thief(field: Field, camera: Camera) -> Device:
    """Somebody elsewhere who has the camera's token."""
    identity = StateDirectory(camera.state).identity()
    assert identity is not None
    token = identity.enrolment.token
    http = field.harness.client("device", headers={"authorization": f"Bearer {token}"})
    return Device(http, camera.device_id, token, str(camera.status.family))


def of_the_camera(field: Field, camera: Camera, *thefts: int) -> set[int]:
    """The numbers of frames that the server answered, but for the thief's."""
    return field.answered(camera).keys() - set(thefts)


@pytest.mark.parametrize("batch", [1, 8])
def test_a_thief_with_a_devices_token_posts_the_highest_numbers(
    field: Field, camera: Camera, thief: Device, batch: int
) -> None:
    """The thief posts the highest numbers that there are, then the highest that are taken, and the camera's next ones.

    The camera numbers what waits anew, above the thief's, and everything that it takes is answered.
    """
    for sequence in (SEQUENCE_MAX, 2**62, SEQUENCE_ALWAYS_MAX + 1):
        assert thief.post(frame(tables(50), 1), sequence).json()["code"] == ProblemCode.SEQUENCE_TOO_HIGH
    highest = [SEQUENCE_ALWAYS_MAX + step * SEQUENCE_STEP_MAX for step in range(20)]
    thefts = [*highest, *range(5, 15)]
    for sequence in thefts:
        assert thief.post(frame(tables(50), 2), sequence).status_code == 200

    camera.shoot(20, "--batch", batch)

    assert of_the_camera(field, camera, *thefts) == {1, 2, 3, 4, *range(highest[-1] + 1, highest[-1] + 21)}
    assert (camera.status.spooled_frames, camera.status.dead_letters) == (0, 0)
    assert camera.status.counters["acknowledged"] == 24


def test_a_thief_posts_the_highest_number_and_its_answer_is_deleted_for_its_age(
    field: Field, camera: Camera, thief: Device
) -> None:
    """Nobody can tell any more which numbers below it are free.

    The camera is told so, goes on above it, and everything that it takes is answered.
    """
    assert thief.post(frame(tables(50), 1), SEQUENCE_ALWAYS_MAX).status_code == 200
    with field.harness.database() as database:
        of_camera = "device_id = (SELECT id FROM devices WHERE public_id = ?)"
        database.exec_driver_sql(f"DELETE FROM results WHERE {of_camera}", (camera.device_id,))
        database.exec_driver_sql(
            "UPDATE devices SET expired_sequence = ? WHERE public_id = ?", (SEQUENCE_ALWAYS_MAX, camera.device_id)
        )

    camera.shoot(5)

    assert of_the_camera(field, camera) == set(range(SEQUENCE_ALWAYS_MAX + 1, SEQUENCE_ALWAYS_MAX + 6))


def lie(camera: Camera, code: ProblemCode, highest_sequence: int) -> AnswerItself:
    """Whoever holds the line refuses a frame by its name, as the server does."""
    device_id = camera.device_id
    body = Problem.of(code, "because", highest_sequence=highest_sequence).model_dump_json().encode()

    def refused(request: ProxiedRequest) -> ProxiedReply:
        named = f"{device_id}.{request.headers['dw-sequence']} refused"
        return ProxiedReply(code.status, {"content-type": PROBLEM_MEDIA_TYPE, "dw-answered": named}, body)

    return AnswerItself(refused)


def test_a_line_sends_a_camera_up_to_numbers_that_its_server_does_not_take(
    field: Field, line: FaultProxy, camera: Camera
) -> None:
    """The line says by name that a number is taken, and that the highest one is 2^61; then it is cut, and mended.

    The server says that the camera's numbers are too high; it goes on behind those that the server has.
    """
    line.add("/v1/frames", AnswerItself(lambda request: ProxiedReply(503)))
    line.add("/v1/frames", lie(camera, ProblemCode.SEQUENCE_TAKEN, 2**61), times=1)
    with camera.running() as program:
        is_far = lambda: any(event["event"] == "frames-renumbered" for event in camera.events)  # noqa: E731
        program.wait_for(is_far, PATIENCE_SECONDS, "numbers far above the server's")
    line.remove()

    camera.shoot(5)

    assert of_the_camera(field, camera) == set(range(1, camera.status.counters["encoded"] + 1))
    field.require_nothing_lost(camera)


def test_a_line_says_that_a_cameras_numbers_are_too_high(field: Field, line: FaultProxy, camera: Camera) -> None:
    """The camera has never counted so far that it could be true.

    It keeps its numbers, sends the same frame again, and loses nothing.
    """
    line.add("/v1/frames", lie(camera, ProblemCode.SEQUENCE_TOO_HIGH, 0), times=2)
    logged = camera.shoot(5)
    assert "frames-renumbered" not in {event["event"] for event in logged}
    assert of_the_camera(field, camera) == set(range(1, 10))
    field.require_nothing_lost(camera)
