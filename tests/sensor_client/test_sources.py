"""Sources in a whole process: what is put into a pipe, a folder or a network arrives at the server, once each."""

import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from sensor_client.enrolment import enrol
from sensor_client.state_directory import StateDirectory
from shared.wire import Enrolment
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane
from tests.sensor_client.program import PROGRAM, await_event, environment, events, start_sensor, status
from tests.sensor_client.raw_server import RawServer
from tests.sensor_client.signed_bundles import Publisher, make_bundle
from tests.sensor_client.sources.test_http_camera import PART, STREAM_HEAD
from tests.sensor_client.sources.test_splitting import BOUNDARY, JPEGS
from tests.sensor_client.sources.test_watched_folder import put

pytestmark = pytest.mark.system


@pytest.fixture
def state(tmp_path: Path, plane: DevicePlane, publisher: Publisher) -> StateDirectory:
    """An enrolled device, on a server that assigns it version 1."""
    publisher.publish(make_bundle(1))
    plane.assign(1, "signs", 1)
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    return state


def test_each_picture_of_a_pipe_arrives_and_the_program_ends_with_it(plane: DevicePlane, state: StateDirectory) -> None:
    stream = b"".join(BOUNDARY + jpeg for jpeg in JPEGS * 25) + b"\xff\xd8\xff\xe0\x00\x00" + JPEGS[0]

    done = subprocess.run(
        [PROGRAM, "run", "--state", state.path, "--source", "-", "--exit-when-drained"],
        input=stream,
        capture_output=True,
        check=False,
        timeout=60,
        env=environment(),
    )

    assert done.returncode == 0, done.stderr
    assert len(plane.frames) == 101 and not plane.conflicts and done.stdout == b""
    assert [event["event"] for event in events(done.stderr.decode())].count("stream-damaged") == 1


def test_a_pipe_that_was_to_go_on_ends_the_program_with_6_once_all_is_delivered(
    plane: DevicePlane, state: StateDirectory
) -> None:
    arguments = ("run", "--state", state.path, "--source", "-")
    done = subprocess.run(
        [PROGRAM, *arguments], input=b"".join(JPEGS), capture_output=True, check=False, timeout=60, env=environment()
    )

    assert done.returncode == 6 and b"standard input has ended" in done.stderr, done.stderr
    assert len(plane.frames) == len(JPEGS)


@pytest.mark.parametrize("deletes", [False, True])
def test_each_picture_of_a_watched_folder_arrives_once_across_restarts_and_one_kill_doubles_one_at_most(
    tmp_path: Path, plane: DevicePlane, state: StateDirectory, deletes: bool
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    options = ["--delete-taken"] if deletes else []
    taken = 0
    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        process = start_sensor("run", "--state", state.path, "--source", folder, "--watch", *options)
        for number in range(taken, taken + 5):
            put(folder / f"{number}.png", side=8 + number)
        taken += 5
        plane.until(lambda least=taken: len(plane.frames) >= least)  # type: ignore[misc]
        process.send_signal(end)
        _, log = process.communicate(timeout=30)
        assert process.returncode == (0 if end is signal.SIGTERM else -signal.SIGKILL), log

    assert len(plane.frames) in (15, 16) and not plane.conflicts
    assert sorted(status(state.path)["faults"]) == []
    assert len(list(folder.iterdir())) <= (1 if deletes else 15)


def test_a_network_camera_that_hangs_holds_up_no_end(plane: DevicePlane, state: StateDirectory) -> None:
    hang = threading.Event()

    def say(connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD + PART % JPEGS[0])
        hang.wait(30.0)

    with RawServer(say) as camera:
        process = start_sensor("run", "--state", state.path, "--source", camera.url)
        plane.until(lambda: len(plane.frames) == 1)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        hang.set()

    assert process.returncode == 0, log


def test_a_camera_that_is_not_there_is_told_and_a_stop_ends_the_wait(state: StateDirectory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/snap?pwd=secret"
    process = start_sensor("run", "--state", state.path, "--source", url)

    await_event(process, "source-lost")
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)

    assert process.returncode == 0 and "secret" not in log
