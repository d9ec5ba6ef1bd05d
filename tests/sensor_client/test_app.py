"""The command line, run as a program."""

import io
import json
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from sensor_client.app import app
from sensor_client.enrolment import enrol
from sensor_client.spool.numbers import FAR_SEQUENCE
from sensor_client.state_directory import StateDirectory
from shared.jpeg import Decoder, Stream, TableSet, inspect
from shared.pictures import fitted, load_pixels
from shared.wire import Enrolment, ProblemCode
from tests.sensor_client.device_plane import CLAIM, DEVICE_ID, TOKEN, DevicePlane, problem
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.program import environment, events, sensor, start_sensor, status
from tests.sensor_client.signed_bundles import THRIFTY, Publisher, make_bundle

V1 = make_bundle(1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 10)


@pytest.fixture
def root_file(tmp_path: Path, publisher: Publisher) -> Path:
    path = tmp_path / "root.json"
    path.write_bytes(publisher.root)
    return path


@pytest.fixture
def device(tmp_path: Path, plane: DevicePlane, publisher: Publisher) -> Path:
    """The state directory of an enrolled device, on a server that assigns it version 1."""
    publisher.publish(V1)
    plane.assign(1, "signs", 1)
    state = StateDirectory(tmp_path / "device")
    enrol(state, plane.url, publisher.root, lambda: Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs"))
    return state.path


def test_a_device_enrols_once(plane: DevicePlane, tmp_path: Path, root_file: Path) -> None:
    arguments = ("enrol", "--server", plane.url + "/", "--claim", CLAIM, "--state", tmp_path / "d", "--root", root_file)

    first, again = sensor(*arguments), sensor(*arguments)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert first.stdout == f"dev1 enrolled in family signs at {plane.url}\n"
    assert again.stdout == f"dev1 was enrolled already in family signs at {plane.url}\n"
    assert "claim code was not used" in again.stderr and "identity.json" in again.stderr
    assert len(plane.asked("/v1/devices")) == 1
    assert TOKEN not in first.stdout + first.stderr
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "d").iterdir()}
    assert files["identity.json"] == files["secret"] == 0o600
    assert plane.secrets == [(tmp_path / "d" / "secret").read_text()]


def test_proxies_of_the_environment_do_not_come_between_a_device_and_its_own_machine(
    plane: DevicePlane, tmp_path: Path, root_file: Path
) -> None:
    arguments = ("--claim", CLAIM, "--state", tmp_path / "d", "--root", root_file)
    environment = {"ALL_PROXY": "socks5://proxy.example:1080", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "[::1]"}

    enrolled = sensor("enrol", "--server", plane.url, *arguments, **environment)
    elsewhere = sensor("enrol", "--server", "https://cameras.example", *arguments, **environment)

    assert enrolled.returncode == 0, enrolled.stderr
    assert elsewhere.returncode == 2
    assert "ALL_PROXY names a SOCKS proxy" in " ".join(elsewhere.stderr.split())


def test_a_wrong_claim_code_ends_with_exit_code_4(plane: DevicePlane, tmp_path: Path, root_file: Path) -> None:
    told = sensor("enrol", "--server", plane.url, "--claim", "no", "--state", tmp_path / "d", "--root", root_file)

    assert (told.returncode, told.stdout) == (4, "")
    assert told.stderr == "dctwire-sensor: 401 invalid-claim: because\n"


@pytest.mark.parametrize("kind", ["another server's", "no metadata at all"])
def test_a_root_that_is_not_the_servers_spends_no_claim_code(
    plane: DevicePlane, tmp_path: Path, root_file: Path, kind: str
) -> None:
    wrong_file = tmp_path / "wrong.json"
    wrong_file.write_bytes(Publisher(tmp_path / "other").root if kind == "another server's" else b"{}")
    arguments = ("enrol", "--server", plane.url, "--claim", CLAIM, "--state", tmp_path / "d", "--root")

    refused = sensor(*arguments, wrong_file)
    spent = plane.asked("/v1/devices")
    right = sensor(*arguments, root_file)

    assert refused.returncode == 2 and "--root" in refused.stderr and "Traceback" not in refused.stderr
    assert not spent
    assert right.returncode == 0, right.stderr


@pytest.mark.parametrize("lost", ["spool.sqlite3*", "[su]p*"])
def test_a_device_that_lost_its_spool_gives_no_number_again(
    plane: DevicePlane, device: Path, source: Path, lost: str
) -> None:
    arguments = ("run", "--state", device, "--source", source, "--once", "--exit-when-drained")
    assert sensor(*arguments).returncode == 0
    for file in device.glob(lost):  # the second names the record of updates, too
        file.unlink()

    told = sensor(*arguments)

    assert told.returncode == 0, told.stderr
    assert len(plane.frames) == 20
    assert sorted(plane.frames)[9:11] == [10, min(sequence for sequence in plane.frames if sequence >= FAR_SEQUENCE)]


def test_a_damaged_identity_is_told_from_its_copy_and_heals(device: Path, source: Path, plane: DevicePlane) -> None:
    (device / "identity.json").write_text('{"server_url"')

    told = sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained")

    assert told.returncode == 0 and len(plane.frames) == 10, told.stderr
    assert (device / "identity.json").read_bytes() == (device / "identity-copy.json").read_bytes()


def test_an_identity_that_is_lost_comes_back_by_enrolling_again(
    plane: DevicePlane, device: Path, source: Path, root_file: Path
) -> None:
    for name in ("identity.json", "identity-copy.json"):
        (device / name).write_text('{"server_url"')

    told = sensor("run", "--state", device, "--source", source)
    again = sensor("enrol", "--server", plane.url, "--claim", CLAIM, "--state", device, "--root", root_file)
    runs = sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained")

    assert told.returncode == 3 and "identity.json cannot be read" in told.stderr and "enrol again" in told.stderr
    assert (again.returncode, runs.returncode) == (0, 0), again.stderr + runs.stderr


FILES = (
    "identity.json",
    "root.json",
    "secret",
    "spool.sqlite3",
    "update-state.json",
    "bundles/a.json",
    "bundles/active",
)


@pytest.mark.parametrize("damage", ["gone", "empty", "zeroed", "a directory"])
def test_status_is_one_json_document_whatever_is_damaged(
    plane: DevicePlane, device: Path, source: Path, damage: str
) -> None:
    assert sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained").returncode == 0
    for name in FILES:
        for path in {device / name, (device / name).with_stem(f"{(device / name).stem}-copy")}:
            path.unlink(missing_ok=True)
            if damage == "a directory":
                path.mkdir()
            elif damage != "gone":
                path.write_bytes(b"" if damage == "empty" else bytes(5000))

    told = sensor("status", "--state", device, "--json")

    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert answer["device_id"] is None and told.stdout.count("\n") == 1
    assert bool(answer["faults"]) == (damage != "gone")


def test_a_server_that_is_not_there_ends_enrolling_with_exit_code_5(
    plane: DevicePlane, tmp_path: Path, root_file: Path
) -> None:
    plane.stop()

    told = sensor("enrol", "--server", plane.url, "--claim", CLAIM, "--state", tmp_path / "d", "--root", root_file)
    plane.start()

    assert told.returncode == 5 and "refused" in told.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("enrol", "--server", "not-a-url", "--claim", "c", "--state", "d", "--root", __file__),
        ("enrol", "--server", "http://h", "--claim", "c", "--state", "d", "--root", "no-such-file"),
        ("run", "--state", "d", "--source", "/", "--exit-when-drained"),
        ("run", "--state", "d", "--source", "/no/such/folder"),
        ("run", "--state", "d", "--source", "gopher://camera/1"),
        ("encode", __file__),
        ("encode", __file__, "--quality", "50", "--stream", "scan"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2_and_teaches(arguments: tuple[str, ...]) -> None:
    told = sensor(*arguments)

    assert told.returncode == 2
    assert "Usage: dctwire-sensor" in told.stderr and "Traceback" not in told.stderr


@pytest.mark.parametrize("command", ["enrol", "run", "once", "config", "encode", "status"])
def test_help_shows_the_environments_names_whole_on_a_narrow_terminal(command: str) -> None:
    told = sensor(command, "--help", COLUMNS="80")

    names = {variable for parameter in parameters(command) if (variable := parameter.envvar) is not None}
    assert names and not {name for name in names if name not in told.stdout}
    assert max(map(len, sensor("--help", COLUMNS="80").stdout.splitlines())) <= 80


def parameters(command: str) -> Sequence[Any]:
    commands: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    parameters: Sequence[Any] = commands[command].params
    return parameters


def test_a_device_that_is_not_enrolled_is_told_so(tmp_path: Path, source: Path) -> None:
    told = sensor("run", "--state", tmp_path / "nothing", "--source", source)

    assert told.returncode == 3 and "dctwire-sensor enrol" in told.stderr


def test_a_source_without_pictures_ends_with_exit_code_6(device: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    told = sensor("run", "--state", device, "--source", tmp_path / "empty")

    assert told.returncode == 6 and "no pictures" in told.stderr


def test_a_new_device_fetches_its_tables_and_delivers_its_pictures(
    plane: DevicePlane, device: Path, source: Path
) -> None:
    told = sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained", "--send-labels")

    assert told.returncode == 0, told.stderr
    assert sorted(plane.frames) == list(range(1, 11))
    assert {inspect(body).tables_id for body in plane.frames.values()} == {V1.tables.tables_id}
    assert [plane.labels[sequence]["label"] for sequence in range(1, 11)] == ["A", "B"] * 5
    assert "bundle-activated" in [event["event"] for event in events(told.stderr)]
    assert TOKEN not in told.stderr


def test_status_tells_what_happened(plane: DevicePlane, device: Path, source: Path) -> None:
    (source / "A" / "4.png").write_bytes(b"rubbish")
    plane.judge = lambda sequence, body: ProblemCode.CORRUPT_JPEG if sequence == 2 else None
    run = sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained", "--batch", "4")
    assert run.returncode == 0, run.stderr

    told = status(device)

    assert told["device_id"] == DEVICE_ID and told["family"] == "signs"
    assert (told["active_bundle"], told["previous_bundle"]) == ("signs/1", None)
    assert (told["spooled_frames"], told["dead_letters"], told["assignment_seq"]) == (0, 1, 1)
    assert {name: told["counters"][name] for name in ("captured", "unreadable", "encoded")} == {
        "captured": 10,
        "unreadable": 1,
        "encoded": 9,
    }
    assert (told["counters"]["acknowledged"], told["counters"]["refused"]) == (8, 1)
    table = sensor("status", "--state", device).stdout
    assert json.loads(sensor("status", "--state", device, "--json").stdout) == told
    assert "signs/1" in table and "acknowledged" in table and TOKEN not in table


def test_status_changes_nothing(device: Path) -> None:
    before = sorted(device.iterdir())

    told = status(device)

    assert told["active_bundle"] is None and told["spooled_frames"] == 0
    assert sorted(device.iterdir()) == before


def test_status_makes_no_spool_where_one_was_lost(plane: DevicePlane, device: Path, source: Path) -> None:
    arguments = ("run", "--state", device, "--source", source, "--count", 1, "--exit-when-drained")
    assert sensor(*arguments).returncode == 0
    spool = device / "spool.sqlite3"
    spool.write_bytes(b"")

    assert status(device)["faults"] == []

    assert spool.read_bytes() == b""
    assert sensor(*arguments).returncode == 0
    assert max(plane.frames) >= FAR_SEQUENCE, "as a device numbers frames that has lost its count"


def test_status_of_nowhere_ends_with_exit_code_3(tmp_path: Path) -> None:
    assert sensor("status", "--state", tmp_path / "nowhere").returncode == 3
    assert not (tmp_path / "nowhere").exists()


def test_results_are_logged_where_they_are_wanted(plane: DevicePlane, device: Path, source: Path) -> None:
    told = sensor("run", "--state", device, "--source", source, "--count", "2", "--exit-when-drained", "--show-results")

    classified = [event for event in events(told.stderr) if event["event"] == "frame-classified"]
    assert [(event["sequence"], event["label"], event["match"]) for event in classified] == [
        (1, "A", "exact"),
        (2, "A", "exact"),
    ]


def test_settings_come_from_the_environment_too(plane: DevicePlane, device: Path, source: Path) -> None:
    told = sensor(
        "run",
        "--once",
        "--exit-when-drained",
        DCTWIRE_SENSOR_STATE=str(device),
        DCTWIRE_SENSOR_SOURCE=str(source),
        DCTWIRE_SENSOR_BATCH="10",
        DCTWIRE_SENSOR_STREAM="interchange",
    )

    assert told.returncode == 0, told.stderr
    assert {inspect(body).stream for body in plane.frames.values()} == {Stream.INTERCHANGE}
    assert len(plane.asked("/v1/frames:batch")) == 1


def test_a_single_401_ends_nothing(plane: DevicePlane, device: Path, source: Path) -> None:
    plane.scripted.append(("/v1/frames", problem(ProblemCode.INVALID_TOKEN)))

    told = sensor("run", "--state", device, "--source", source, "--once", "--exit-when-drained")

    assert told.returncode == 0, told.stderr
    assert len(plane.frames) == 10 and status(device)["dead_letters"] == 0


@pytest.mark.parametrize("ending", ["terminate", "interrupt"])
def test_a_signal_ends_a_run_in_order(plane: DevicePlane, device: Path, source: Path, ending: str) -> None:
    process = start_sensor("run", "--state", device, "--source", source, "--rate", "200")
    plane.until(lambda: len(plane.frames) >= 3)

    process.send_signal(signal.SIGTERM if ending == "terminate" else signal.SIGINT)
    _, log = process.communicate(timeout=30)

    assert process.returncode == 0, log
    told = status(device)
    assert told["counters"]["encoded"] == told["counters"]["acknowledged"] + told["spooled_frames"]


def test_two_sensors_do_not_share_a_state_directory(plane: DevicePlane, device: Path, source: Path) -> None:
    process = start_sensor("run", "--state", device, "--source", source, "--rate", "20")
    plane.until(lambda: len(plane.frames) >= 1)

    told = sensor("run", "--state", device, "--source", source)
    process.terminate()
    process.communicate(timeout=30)

    assert told.returncode == 3 and "another dctwire-sensor" in told.stderr


def test_once_ends_within_its_deadline_and_its_exit_code_says_what_is_kept(
    plane: DevicePlane, device: Path, source: Path
) -> None:
    arguments = ("once", "--state", device, "--source", source, "--deadline")
    sent = sensor(*arguments, "100")
    plane.hold("/v1/frames")
    kept = sensor(*arguments, "6", "--count", "2")
    plane.release()
    after = sensor(*arguments, "100")

    assert [told.returncode for told in (sent, kept, after)] == [0, 7, 0], sent.stderr + kept.stderr + after.stderr
    assert "cut-short" in kept.stderr
    assert sorted(plane.frames) == [1, 2, 3, 4]
    assert sent.stdout == kept.stdout == ""


def test_doctor_and_selftest_work_beside_run_and_their_exit_code_says_whether_something_is_bad(
    plane: DevicePlane, device: Path, source: Path
) -> None:
    process = start_sensor("run", "--state", device, "--source", source, "--rate", "20")
    plane.until(lambda: len(plane.frames) >= 1)
    tried = sensor("selftest", "--state", device, "--source", source)
    examined = sensor("doctor", "--state", device, "--source", source, "--json")
    process.terminate()
    process.communicate(timeout=30)
    gone = sensor("doctor", "--state", device / "nothing")

    assert [told.returncode for told in (tried, examined, gone)] == [0, 0, 1], tried.stdout + examined.stdout
    assert tried.stdout.count("\nok ") + tried.stdout.startswith("ok ") == 3
    assert json.loads(examined.stdout)["is_well"] is True
    assert gone.stdout.startswith("bad   state") and "enrol" in gone.stdout


NOT_FOR_A_CAMERA = {"rich", "tuf", "securesystemslib", "cryptography", "urllib3", "httpx", "structlog", "torch", "cv2"}


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_run_has_loaded_nothing_that_a_camera_does_not_need(
    plane: DevicePlane, device: Path, tmp_path: Path, suffix: str
) -> None:
    """The first run fetches and verifies its tables, in another process."""
    code = (
        "import sys; from sensor_client.entry import main\n"
        "try: main()\n"
        "finally: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    source = tmp_path / "camera"
    source.mkdir()
    Image.new("RGB", (64, 64), "teal").save(source / f"1.{suffix}")
    arguments = ["run", "--state", str(device), "--source", str(source), "--count", "1", "--exit-when-drained"]
    told = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=environment()
    )

    assert len(plane.frames) == 1
    loaded = set(told.stdout.split())
    assert {"numpy", "sensor_client"} <= loaded
    assert ("PIL" in loaded) == (suffix != "jpg"), "a picture that is transcoded has no pixels"
    assert not loaded & NOT_FOR_A_CAMERA


@pytest.mark.parametrize("command", [("run", "--once"), ("once", "--count", "10")])
def test_a_dry_run_prints_what_would_be_sent_and_touches_neither_spool_nor_server(
    plane: DevicePlane, device: Path, source: Path, command: tuple[str, ...]
) -> None:
    assert sensor("once", "--state", device, "--source", source).returncode == 0
    before = status(device), len(plane.requests)

    told = sensor(*command, "--state", device, "--source", source, "--dry-run")

    assert told.returncode == 0, told.stderr
    *frames, last = told.stdout.splitlines()
    assert len(frames) == 10 and frames[0].startswith("frame 1: ") and "signs/1.json" in frames[0]
    assert last.startswith("10 pictures: 10 frames of ") and last.endswith("nothing was sent")
    assert (status(device), len(plane.requests)) == before
    assert len(list(source.rglob("*.png"))) == 10


def test_a_watched_folder_gives_a_dry_run_and_once_what_is_new_and_nothing_new_is_no_fault(
    plane: DevicePlane, device: Path, source: Path
) -> None:
    arguments = ("--state", device, "--source", source, "--watch", "--count", "10")
    first = sensor("once", *arguments)
    second = sensor("once", *arguments, "--deadline", "1000")  # longer than it is given here
    rehearsed = sensor("once", *arguments, "--dry-run")

    assert [told.returncode for told in (first, second, rehearsed)] == [0, 0, 0], first.stderr + second.stderr
    assert sorted(plane.frames) == list(range(1, 11))
    assert rehearsed.stdout.startswith("0 pictures: ")


@pytest.mark.parametrize(
    ("source", "said"), [("clip.mp4", "no such file"), ("gopher://camera", "another known source")]
)
def test_a_source_that_is_not_there_is_told_from_one_that_nobody_knows(tmp_path: Path, source: str, said: str) -> None:
    told = CliRunner().invoke(app, ["run", "--state", str(tmp_path), "--source", source])
    assert told.exit_code == 2 and said in " ".join(told.output.split())


def test_a_metrics_address_of_another_machine_says_what_to_do(device: Path, source: Path) -> None:
    told = sensor("run", "--state", device, "--source", source, "--metrics-port", "0", "--metrics-host", "192.0.2.1")
    assert told.returncode == 3 and "give --metrics-host an address of this machine" in told.stderr


def test_pictures_are_encoded_without_a_server(tmp_path: Path, source: Path) -> None:
    pictures = sorted(source.glob("A/*.png"))[:3]

    told = sensor("encode", *pictures, "--quality", "12.5", "--out", tmp_path / "out")

    assert told.returncode == 0, told.stderr
    assert "mean" in told.stdout
    tables = TableSet.standard(12.5)
    kept = (tmp_path / "out" / f"{tables.tables_id}.tables.jpg").read_bytes()
    for picture in pictures:
        frame = (tmp_path / "out" / f"{picture.stem}.dwj").read_bytes()
        assert Decoder(TableSet.from_stream(kept)).decode(frame).width == 32
        assert str(len(frame)) in told.stdout


def test_pictures_are_encoded_as_a_bundle_says(tmp_path: Path, source: Path) -> None:
    bundle = make_bundle(side=16, quality=80, settings=THRIFTY)
    (tmp_path / "bundle.json").write_bytes(bundle.to_bytes())
    picture = source / "A" / "0.png"

    told = sensor("encode", picture, "--bundle", tmp_path / "bundle.json", "--out", tmp_path, "--stream", "interchange")

    assert told.returncode == 0, told.stderr
    pixels = fitted(load_pixels(picture), bundle.tables.sampling, (16, 16))
    assert (tmp_path / "0.jpg").read_bytes() == bundle.encoding.encoder().encode(pixels, Stream.INTERCHANGE)
    assert Image.open(io.BytesIO((tmp_path / "0.jpg").read_bytes())).size == (16, 16)


def test_what_cannot_be_encoded_ends_with_exit_code_6(tmp_path: Path, source: Path) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    (tmp_path / "0.png").write_text("rubbish")

    no_bundle = sensor("encode", source / "A" / "0.png", "--bundle", tmp_path / "bundle.json")
    no_picture = sensor("encode", tmp_path / "0.png", "--quality", "50")

    assert (no_bundle.returncode, no_picture.returncode) == (6, 6)
    assert "Traceback" not in no_bundle.stderr + no_picture.stderr
