"""systemd is told of the start, the end, and that nothing hangs; units of ours are what systemd takes for sound."""

import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client.enrolment import enrol
from sensor_client.pulse import Pulse
from sensor_client.service_manager import HANG_SECONDS, ServiceManager
from sensor_client.state_directory import StateDirectory
from shared.pictures import SENSOR_LIMITS
from shared.wire import Enrolment
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.program import PROGRAM, environment
from tests.sensor_client.signed_bundles import Publisher, make_bundle
from tests.system_packages import required

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket where systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(20.0)
        yield line


def told(systemd: socket.socket) -> list[str]:
    messages = []
    systemd.setblocking(False)
    while True:
        try:
            messages.append(systemd.recv(100).decode())
        except BlockingIOError:
            return messages


def manager_of(systemd: socket.socket, clock: FakeClock, **variables: str) -> tuple[ServiceManager, Pulse]:
    pulse = Pulse(clock.monotonic_seconds)
    around = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "60000000", **variables}
    return ServiceManager(around, 7, pulse, ("capture",), clock.monotonic_seconds), pulse


def test_the_watchdog_is_fed_three_times_as_often_as_it_bites(systemd: socket.socket, clock: FakeClock) -> None:
    manager, _ = manager_of(systemd, clock, WATCHDOG_PID="7")

    manager.ready()
    for _ in range(61):
        manager.watch()
        clock.elapsed_seconds += 1
    manager.stopping()

    assert told(systemd) == ["READY=1", *["WATCHDOG=1"] * 4, "STOPPING=1"]


def test_a_thread_that_hangs_lets_the_watchdog_bite_and_one_that_is_seen_again_does_not(
    systemd: socket.socket, clock: FakeClock
) -> None:
    manager, pulse = manager_of(systemd, clock)
    let_go, goes_on, seen_again = threading.Event(), threading.Event(), threading.Event()

    def capture() -> None:
        pulse.beat()
        seen_again.set()
        goes_on.wait()
        seen_again.clear()
        pulse.beat()
        seen_again.set()
        let_go.wait()

    thread = threading.Thread(target=capture, name="capture")
    thread.start()
    seen_again.wait()
    clock.elapsed_seconds += HANG_SECONDS + 1
    manager.watch()
    hanging = told(systemd)
    goes_on.set()
    while pulse.silent_seconds("capture"):
        seen_again.wait()
    manager.watch()
    let_go.set()
    thread.join()

    assert (hanging, told(systemd)) == ([], ["WATCHDOG=1"])


@pytest.mark.parametrize("variables", [{"WATCHDOG_PID": "8"}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "soon"}])
def test_a_watchdog_that_is_none_of_ours_is_not_fed(
    systemd: socket.socket, clock: FakeClock, variables: dict[str, str]
) -> None:
    manager, _ = manager_of(systemd, clock, **variables)
    manager.watch()
    assert told(systemd) == []


def test_a_socket_that_is_no_file_is_told_too(clock: FakeClock) -> None:
    name = f"dctwire-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0{name}")
        around = {"NOTIFY_SOCKET": f"@{name}"}
        ServiceManager(around, 7, Pulse(clock.monotonic_seconds), (), clock.monotonic_seconds).ready()
        assert told(line) == ["READY=1"]


def test_where_nobody_listens_nothing_happens(clock: FakeClock, tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "nobody"), "@nobody-here"):
        manager = ServiceManager(
            {"NOTIFY_SOCKET": address}, 7, Pulse(clock.monotonic_seconds), (), clock.monotonic_seconds
        )
        manager.ready()


def test_a_real_run_tells_of_its_start_its_life_and_its_end(
    systemd: socket.socket, tmp_path: Path, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(make_bundle(1))
    plane.assign(1, "signs", 1)
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    pictures = write_pictures(tmp_path / "pictures", 3)
    arguments = [str(part) for part in (PROGRAM, "run", "--state", state.path, "--source", pictures, "--rate", 5)]
    variables = environment(NOTIFY_SOCKET=systemd.getsockname(), WATCHDOG_USEC="600000")

    with subprocess.Popen(arguments, env=variables, stderr=subprocess.DEVNULL) as process:
        messages = [systemd.recv(100) for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        while (message := systemd.recv(100)) == b"WATCHDOG=1":
            pass

    assert messages == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert (message, process.returncode) == (b"STOPPING=1", 0)


def test_the_units_leave_memory_for_the_worst_picture_that_is_read() -> None:
    program, worst, child = 79 << 20, 22 * SENSOR_LIMITS.pixels, 50 << 20  # docs/pictures.md
    for unit in UNITS.glob("*.service"):
        limit_mib = next(line for line in unit.read_text().splitlines() if line.startswith("MemoryMax="))[10:-1]
        assert int(limit_mib) << 20 >= program + worst + child


def test_systemd_takes_our_units_for_sound_and_safe(tmp_path: Path) -> None:
    required("systemd-analyze")
    for unit in UNITS.iterdir():
        text = re.sub("/opt/dctwire/bin/dctwire-(sensor|trainer)", sys.executable, unit.read_text())
        (tmp_path / unit.name).write_text(text.replace("man:systemd.service(5)", "https://systemd.io"))
    units = sorted(str(path) for path in tmp_path.iterdir())
    services = [unit for unit in units if unit.endswith(".service")]

    analyze = ["systemd-analyze"]
    sound = subprocess.run([*analyze, "verify", *units], capture_output=True, text=True, check=False)
    safe = [
        subprocess.run(
            [*analyze, "security", "--offline=true", "--threshold=20", one], capture_output=True, check=False
        )
        for one in services
    ]

    assert (sound.returncode, sound.stderr) == (0, "")
    assert [one.returncode for one in safe] == [0] * 3, safe
