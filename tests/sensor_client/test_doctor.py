"""What ails a device is found, by its real files and over real sockets, and each time it is said what to do."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sensor_client.clock import SystemClock
from sensor_client.doctor import Patient, examine
from sensor_client.enrolment import enrol
from sensor_client.findings import Finding, Verdict, ok
from sensor_client.state_directory import StateDirectory
from shared.wire import Enrolment
from tests.sensor_client.device_plane import DEVICE_ID, TOKEN, DevicePlane
from tests.sensor_client.signed_bundles import Publisher


class AncientClock(SystemClock):
    """A clock that nobody has set."""

    def now(self) -> float:
        return 0.0


@pytest.fixture
def state(tmp_path: Path, plane: DevicePlane, publisher: Publisher) -> StateDirectory:
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    return state


def found_in(
    state: StateDirectory, clock: SystemClock | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Finding]:
    patient = Patient(
        state=state,
        clock=clock or SystemClock(),
        environment=environment or {},
        look_at_source=lambda: ok("source", "there"),
    )
    return {finding.check: finding for finding in examine(patient)}


def test_a_device_that_is_well_has_nothing_bad(state: StateDirectory) -> None:
    found = found_in(state)

    assert {finding.verdict for finding in found.values()} <= {Verdict.OK, Verdict.WARN}
    assert set(found) >= {
        "disk",
        "permissions",
        "identity",
        "clock",
        "proxy",
        "dns",
        "tcp",
        "server",
        "spool",
        "source",
    }
    assert found["server"].verdict is Verdict.OK and "token" in found["server"].said
    assert "dctwire assign" in found["tables"].next_step


def test_a_directory_that_is_not_there_or_not_enrolled_is_told_how_to_enrol(tmp_path: Path) -> None:
    nowhere = found_in(StateDirectory(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    empty = found_in(StateDirectory(tmp_path / "empty"))

    assert "enrol" in nowhere["state"].next_step
    assert empty["identity"].verdict is Verdict.BAD and "enrol" in empty["identity"].next_step


def test_a_damaged_identity_is_told_and_the_rest_looked_at(state: StateDirectory) -> None:
    for name in ("identity.json", "identity-copy.json"):
        (state.path / name).write_text("{")

    found = found_in(state)

    assert found["identity"].verdict is Verdict.BAD and "cannot be read" in found["identity"].said
    assert found["disk"].verdict is not Verdict.BAD


def test_a_server_that_is_silent_is_told_from_one_that_refuses_the_token_and_one_that_is_none(
    state: StateDirectory, plane: DevicePlane
) -> None:
    plane.tokens.clear()
    refused = found_in(state)["server"]
    plane.stop()
    silent = found_in(state)
    plane.start()

    assert refused.verdict is Verdict.BAD and "token" in refused.said and "dctwire" in refused.next_step
    assert silent["tcp"].verdict is Verdict.BAD and "nc -vz 127.0.0.1" in silent["tcp"].next_step
    assert "server" not in silent


def test_a_clock_that_cannot_be_right_is_told(state: StateDirectory) -> None:
    found = found_in(state, AncientClock())["clock"]

    assert found.verdict is Verdict.BAD and "1970" in found.said and "timedatectl" in found.next_step


def test_secrets_that_others_may_read_are_told(state: StateDirectory) -> None:
    state.identity_file.chmod(0o644)

    found = found_in(state)["permissions"]

    assert found.verdict is Verdict.WARN and found.next_step == f"chmod 0600 {state.identity_file}"


def test_a_damaged_spool_is_told(state: StateDirectory) -> None:
    state.spool_file.write_bytes(b"no spool" * 1000)

    found = found_in(state)["state"]

    assert found.verdict is Verdict.BAD and "spool" in found.said
