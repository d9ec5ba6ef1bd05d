"""What diagnostics are made of, and what must be in none of it."""

import json
import socket
from pathlib import Path

import pytest

from sensor_client.diagnostic_files import diagnostic_files, secrets_of
from sensor_client.diagnostics import scrubbed
from sensor_client.state_directory import Identity, StateDirectory
from shared.wire import Enrolment, Heartbeat, SpoolState
from tests.sensor_client.fakes import FakeClock

ENROLMENT = Enrolment(device_id="dev1", token="t" * 22, family="signs", voucher="v" * 43)
SECRET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
BEAT = Heartbeat.model_validate(
    {
        "program": "0.1",
        "boot": "0" * 16,
        "boots": 1,
        "uptime_seconds": 1,
        "schemas": [],
        "features": [],
        "spool": SpoolState(frames=0, bytes=0, dropped=0),
    }
)


def test_status_heartbeat_configuration_versions_and_log_are_sent_without_what_enrolment_gave(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    identity = Identity(server_url="http://h", enrolment=ENROLMENT, claim_code="3TJK-FZX8-SGB4", secret=SECRET)
    state.enrol(identity)
    files = diagnostic_files(state, {"source": "pictures", "rate": "1.0"}, BEAT, FakeClock())
    assert json.loads(files["status.json"])["device_id"] == "dev1"
    assert json.loads(files["configuration.json"]) == {"source": "pictures", "rate": "1.0"}
    assert json.loads(files["versions.json"])["dctwire"] == json.loads(files["heartbeat.json"])["program"] == "0.1"
    secrets = secrets_of(state, ENROLMENT)
    assert set(secrets) == {"t" * 22, "v" * 43, SECRET, "3TJK-FZX8-SGB4"}
    whole = scrubbed(identity.model_dump_json() + "".join(files.values()), secrets)
    assert not any(secret in whole for secret in secrets)


def test_what_the_doctor_finds_on_the_device_itself_is_sent_and_nobody_is_asked(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"  # it answers nobody: whoever asks it hangs
        state.enrol(Identity(server_url=server, enrolment=ENROLMENT))
        state.identity_file.chmod(0o644)
        files = diagnostic_files(state, {}, BEAT, FakeClock())
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
    checks = {check["check"]: check for check in json.loads(files["doctor.json"])["checks"]}
    assert checks["permissions"]["verdict"] == "warn" and "chmod 0600" in checks["permissions"]["next_step"]
    assert {"disk", "identity", "clock", "tables", "spool"} <= set(checks)
    assert not {"proxy", "dns", "tcp", "server", "source"} & set(checks)
