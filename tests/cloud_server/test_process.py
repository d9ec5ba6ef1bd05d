"""The server as a process: killed at any moment it loses nothing it acknowledged; told to stop it finishes first."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, publish_folder
from cloud_server.command import cli
from cloud_server.errors import ListenError
from shared.command_line import EXIT_USAGE
from shared.errors import ChannelError
from shared.trust import parse_targets
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import FREE_PORTS, server_in_thread


def upload_until_the_line_breaks(device: Device, answers: dict[int, object], enough: threading.Event) -> None:
    """Post frame after frame, keeping what was acknowledged."""
    data = frame(tables(50))
    with contextlib.suppress(httpx.TransportError):
        while True:
            answer = device.post(data)
            answers[device.next_sequence - 1] = answer.json()
            if len(answers) >= 50:
                enough.set()


def test_a_killed_server_has_every_answer_it_gave(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    state = engine.settings(tmp_path / "data")
    server = ServerProcess(tmp_path, **state)
    server.harness.publish(bundle_folders[1])
    devices = [server.harness.enrol("digits") for _ in range(3)]
    answers: list[dict[int, object]] = [{} for _ in devices]
    enough = threading.Event()
    threads = [
        threading.Thread(target=upload_until_the_line_breaks, args=(device, given, enough))
        for device, given in zip(devices, answers, strict=True)
    ]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    server.process.kill()
    for thread in threads:
        thread.join()
    server.finish()

    server = ServerProcess(tmp_path, **state)
    for device, given in zip(devices, answers, strict=True):
        client = server.harness.client("device", headers={"authorization": f"Bearer {device.token}"})
        for sequence, answer in given.items():
            again = client.post("/v1/frames", content=frame(tables(50)), headers={"dw-sequence": str(sequence)})
            assert again.json() == answer
    lost = sum(map(len, answers)) - server.harness.scrape().value("dctwire_replayed_frames_total")
    assert server.terminate() == 0
    assert lost == 0


@pytest.mark.parametrize(
    ("step", "seconds"),
    [("signing", 0), ("publishing", 0.02), pytest.param("publishing", 0.1, marks=pytest.mark.system)],
)
def test_a_server_killed_while_it_publishes_has_all_of_it_or_nothing(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path], step: str, seconds: float
) -> None:
    state = engine.settings(tmp_path / "data")
    server = ServerProcess(tmp_path, **state)
    folder, keys = ModelFolder.read(bundle_folders[1]), server.harness.keys

    def kill_at(reached: str) -> None:
        if reached == step:
            threading.Timer(seconds, server.process.kill).start()

    operator = OperatorClient(server.harness.addresses["operator"], server.harness.admin_token)
    with contextlib.closing(operator), contextlib.suppress(ChannelError):
        publish_folder(operator, folder, keys, datetime.now(UTC), kill_at)
    server.finish()

    server = ServerProcess(tmp_path, **state)
    client = server.harness.client("operator")
    recorded = [f"{row['family']}/{row['counter']}.json" for row in client.get("/v1/bundles").json()["bundles"]]
    assert recorded == _listed(client)
    server.harness.publish(bundle_folders[1])
    assert server.harness.assign("digits", 1) > 0
    assert server.harness.enrol("digits").post(frame(tables(50))).json()["model"] == "digits/1"
    assert server.terminate() == 0


def test_a_server_told_to_stop_answers_what_it_has_begun(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    server = ServerProcess(tmp_path)
    server.harness.publish(bundle_folders[1])
    device = server.harness.enrol("digits")
    data = frame(tables(50))
    with server.harness.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 1\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (device.token.encode(), len(data))
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        server.process.terminate()
        server.await_event("drain-started")
        connection.sendall(data)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    server.finish()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"model":"digits/1"' in answer
    assert server.process.returncode == 0
    assert not (tmp_path / "data" / "addresses.json").exists()


def test_a_running_server_says_where_it_is_and_that_it_is_well(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    assert json.loads((tmp_path / "data" / "addresses.json").read_text()) == server.harness.addresses
    ops = server.harness.client("ops")
    assert [ops.get(path).status_code for path in ("/livez", "/readyz", "/startupz")] == [200, 200, 200]
    assert server.terminate() == 0


def test_a_server_without_keys_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(AssertionError, match="dctwire trust init"):
        ServerProcess(tmp_path)


def test_a_replica_makes_its_own_folder_which_is_not_there_yet(tmp_path: Path) -> None:
    first = ServerProcess(tmp_path)
    replica = tmp_path / "replicas" / "second"
    command = [sys.executable, "-c", "from cloud_server.command import main; main()", "run", "--data", str(replica)]
    variables = {"KEYS": tmp_path / "data" / "keys", **{name.upper(): value for name, value in FREE_PORTS.items()}}
    environment = os.environ | {f"DCTWIRE_SERVER_{name}": str(value) for name, value in variables.items()}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == json.loads((replica / "addresses.json").read_text())
    for server in (process, first.process):
        server.terminate()
    process.communicate(timeout=60)
    first.finish()


def test_a_second_server_on_the_same_data_is_turned_away_and_the_first_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = ServerProcess(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli(["run", "--data", str(tmp_path / "data")])
    assert ended.value.code == EXIT_USAGE
    assert "another dctwire-server works in" in capfd.readouterr().err
    assert json.loads((tmp_path / "data" / "addresses.json").read_text()) == first.harness.addresses
    first.kill()
    assert ServerProcess(tmp_path).terminate() == 0


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a server ran and was stopped."""
    directory = tmp_path_factory.mktemp("used")
    assert ServerProcess(directory).terminate() == 0
    return directory


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("dctwire.sqlite3", "not a database"),
        ("keys/snapshot.pem", "backup"),
        ("keys/root.json", "backup"),
    ],
)
def test_a_server_whose_data_are_damaged_names_the_file_and_the_way_out(
    used: Path, tmp_path: Path, file: str, said: str
) -> None:
    shutil.copytree(used / "data", tmp_path / "data")
    (tmp_path / "data" / file).write_text("rubbish, and enough of it to be none of our formats" * 20)
    with pytest.raises(AssertionError, match=said) as failure:
        ServerProcess(tmp_path)
    assert "Traceback" not in str(failure.value)


@pytest.mark.parametrize("plane", ["device", "operator", "ops"])
def test_a_port_that_is_taken_is_told_with_the_option_that_changes_it(tmp_path: Path, plane: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError) as told:
        port = taken.getsockname()[1]
        ServerProcess(tmp_path, **{f"{plane}_port": port})
    assert f"the {plane} plane cannot listen on 127.0.0.1, port {port}" in str(told.value)
    assert f"--{plane}-port (DCTWIRE_SERVER_{plane.upper()}_PORT)" in str(told.value)
    assert "Traceback" not in str(told.value)


def test_a_server_that_fails_to_start_lets_go_of_its_data(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy: dict[str, Any] = {"device_port": taken.getsockname()[1]}
        with pytest.raises(ListenError), server_in_thread(tmp_path, **busy):
            pass
    with server_in_thread(tmp_path) as harness:
        assert harness.client("ops").get("/livez").status_code == 200


def test_a_host_that_is_not_of_this_machine_is_told_with_its_option(tmp_path: Path) -> None:
    for host in ("203.0.113.7", "no-such-host.invalid", "2001:db8::1"):
        with pytest.raises(AssertionError, match=r"--device-host \(DCTWIRE_SERVER_DEVICE_HOST\)"):
            ServerProcess(tmp_path, device_host=host)


@pytest.mark.parametrize(("host", "opened"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")])
def test_the_addresses_that_are_printed_can_be_opened(tmp_path: Path, host: str, opened: str) -> None:
    server = ServerProcess(tmp_path, device_host=host)
    assert server.harness.addresses["device"].startswith(f"http://{opened}:")
    assert server.harness.client("device").get("/openapi.json").status_code == 200
    assert server.terminate() == 0


def test_a_wrong_setting_is_named_as_it_is_typed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli(["run", "--data", "data", "--device-port", "99999"])
    assert ended.value.code == EXIT_USAGE
    assert "--device-port (DCTWIRE_SERVER_DEVICE_PORT): Input should be less" in capfd.readouterr().err


def _listed(client: httpx.Client) -> list[str]:
    """The target paths of family digits; none before its first publication."""
    answer = client.get("/v1/tuf/digits/targets")
    return list(parse_targets(answer.content).signed.targets) if answer.status_code == 200 else []
