"""The clients in examples/, as their reader runs them, against a real server that serves a classifier of the zoo."""

import hashlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shared.bundle import Bundle
from shared.jpeg import Encoder, Stream, TableSet
from shared.wire import Retry
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import picture, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.system_packages import required, required_headers

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "trainer/zoo/cifar100-150"
BUNDLE = Bundle.from_bytes((ENTRY / "bundle.json").read_bytes())
PAGE = (ROOT / "docs/your-own-client.md").read_text()
C_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server with the zoo's bundle assigned, and another family without tables that devices know."""
    folder = tmp_path_factory.mktemp("server")
    write_bundle(folder / "digits", "digits", 1, tables(50))
    with server_in_thread(folder, quota_burst_frames=256, quota_frames_per_second=5) as harness:
        harness.publish(ENTRY)
        harness.assign(BUNDLE.family, BUNDLE.counter)
        harness.publish(folder / "digits")
        yield harness


class Client:
    """Types `python3 client.py`; Python is told to leave out all packages but its own."""

    def __init__(self, server: ServerHarness, folder: Path, family: str = BUNDLE.family) -> None:
        self.state = folder / "device.json"
        self.type("enrol", "--server", server.addresses["device"], "--claim", claim_code(server, family))

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return run(self.state, *words)

    def type(self, *words: object) -> list[dict[str, Any]]:
        """Run it; the answers that it prints."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    @property
    def memory(self) -> dict[str, Any]:
        memory: dict[str, Any] = json.loads(self.state.read_text())
        return memory


def run(state: Path, *words: object) -> subprocess.CompletedProcess[str]:
    client = str(ROOT / "examples/client.py")
    command = [sys.executable, "-I", "-S", client, "--state", str(state), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def claim_code(server: ServerHarness, family: str = BUNDLE.family) -> str:
    code: str = server.client("operator").post("/v1/claims", json={"family": family}).json()["claim_code"]
    return code


@pytest.fixture
def client(server: ServerHarness, tmp_path: Path) -> Client:
    return Client(server, tmp_path)


@pytest.fixture(scope="module")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """client.c, built with every warning an error."""
    required("gcc")
    required_headers("jpeglib.h")
    program = tmp_path_factory.mktemp("client") / "client"
    subprocess.run(["gcc", *C_FLAGS, "-o", program, ROOT / "examples/client.c", "-ljpeg"], check=True, timeout=60)
    return program


def jpegs(folder: Path, count: int) -> list[Path]:
    """Ordinary JPEG files as Pillow writes them."""
    paths = [folder / f"{index}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        Image.fromarray(picture(index)).save(path, quality=75)
    return paths


def c_frames(program: Path, stream: Path, folder: Path, count: int) -> list[Path]:
    """Frames that client.c makes with these tables."""
    paths = [folder / f"frame{index}.jpg" for index in range(count)]
    tables_id = hashlib.sha256(stream.read_bytes()).hexdigest()[:16]
    for index, path in enumerate(paths):
        ppm = folder / "picture.ppm"
        Image.fromarray(picture(index)).save(ppm)
        with ppm.open("rb") as source, path.open("wb") as out:
            subprocess.run([program, stream, tables_id], stdin=source, stdout=out, check=True, timeout=60)
    return paths


def test_the_python_client_posts_ordinary_jpegs_one_by_one_and_in_a_batch(client: Client, tmp_path: Path) -> None:
    pictures = jpegs(tmp_path, 3)
    singly = client.type("post", *pictures)
    together = client.type("batch", *pictures)
    assert [answer["label"] for answer in singly] == [answer["label"] for answer in together]
    numbers = [int(answer["id"].split(".")[1]) for answer in singly + together]
    assert numbers == list(range(1, 7))
    assert client.state.stat().st_mode & 0o777 == 0o600


def test_the_python_client_is_content_with_a_header_that_names_its_frame(client: Client, tmp_path: Path) -> None:
    (picture_file,) = jpegs(tmp_path, 1)
    (answer,) = client.type("post", "--minimal", picture_file)
    assert answer == {"id": f"{client.memory['device_id']}.1", "match": "fallback"}


@pytest.mark.parametrize("said", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 200 OK\r\nContent-Type: text/html"])
@pytest.mark.parametrize("words", [("post",), ("post", "--minimal"), ("batch",)])
def test_what_a_captive_portal_says_is_no_answer_and_the_frame_is_sent_again(
    client: Client, tmp_path: Path, said: bytes, words: tuple[str, ...]
) -> None:
    (picture_file,) = jpegs(tmp_path, 1)
    page = b"" if b" 204 " in said else b"<h1>Welcome</h1>"
    head = said + (b"\r\nContent-Length: %d" % len(page) if page else b"")
    with socket.create_server(("127.0.0.1", 0)) as portal:
        port = portal.getsockname()[1]
        client.state.write_text(json.dumps(client.memory | {"server": f"http://127.0.0.1:{port}"}))
        command = [sys.executable, "-I", "-S", str(ROOT / "examples/client.py"), "--state", str(client.state)]
        with subprocess.Popen([*command, *words, str(picture_file)], stderr=subprocess.PIPE, text=True) as asking:
            for _ in range(2):  # the second time is "again"
                connection, _ = portal.accept()
                with connection, connection.makefile("rb") as request:
                    while request.readline() not in (b"\r\n", b""):
                        pass
                    connection.sendall(head + b"\r\n\r\n" + page)
            assert asking.stderr is not None and "no answer of a dctwire server" in asking.stderr.readline()
            asking.kill()


def test_a_picture_of_the_cameras_own_size_gets_a_label(client: Client, tmp_path: Path) -> None:
    Image.fromarray(picture(0)).resize((640, 480)).save(tmp_path / "camera.jpg")
    (answer,) = client.type("post", tmp_path / "camera.jpg")
    assert answer["match"] == "resized" and answer["label"]


def test_the_python_client_fetches_the_assigned_tables_and_says_their_size(client: Client, tmp_path: Path) -> None:
    done = client.run("tables", tmp_path / "tables.jpg")
    assert (done.returncode, done.stdout) == (0, "cifar100/3: pictures of 32 x 32 pixels (width x height), 4:2:0\n")
    assert TableSet.from_stream((tmp_path / "tables.jpg").read_bytes()).tables_id == BUNDLE.tables.tables_id


def test_frames_of_the_c_client_are_answered_as_exact_singly_and_in_a_batch(
    client: Client, c_client: Path, tmp_path: Path
) -> None:
    client.type("tables", tmp_path / "tables.jpg")
    frames = c_frames(c_client, tmp_path / "tables.jpg", tmp_path, 3)
    singly, together = client.type("post", *frames), client.type("batch", *frames)
    assert {answer["match"] for answer in singly + together} == {"exact"}
    assert [answer["label"] for answer in singly] == [answer["label"] for answer in together]


def test_the_c_client_makes_the_frames_of_the_codec_where_a_bundle_rounds_plainly(
    c_client: Path, tmp_path: Path
) -> None:
    (tmp_path / "tables.jpg").write_bytes(BUNDLE.tables.to_stream())
    frames = c_frames(c_client, tmp_path / "tables.jpg", tmp_path, 8)
    ours = [Encoder(BUNDLE.tables).encode(picture(index), Stream.ABBREVIATED) for index in range(8)]
    assert [frame.read_bytes() for frame in frames] == ours


@pytest.mark.parametrize(
    "head",
    [b"P5 32 32 255\n", b"P6 32 32 65535\n", b"P6 0 32 255\n", b"P6 32 99999 255\n", b"P6 32 32 255\nshort", b""],
)
def test_the_c_client_refuses_what_is_no_picture(c_client: Path, tmp_path: Path, head: bytes) -> None:
    (tmp_path / "tables.jpg").write_bytes(BUNDLE.tables.to_stream())
    command = [str(c_client), str(tmp_path / "tables.jpg"), BUNDLE.tables.tables_id]
    done = subprocess.run(command, input=head, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith(b"client: ")


def test_the_c_client_refuses_a_picture_in_place_of_tables(c_client: Path, tmp_path: Path) -> None:
    (path,) = jpegs(tmp_path, 1)
    command = [str(c_client), str(path), BUNDLE.tables.tables_id]
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=60)
    assert done.returncode == 1 and b"no tables-only stream" in done.stderr


def test_a_frame_of_unknown_tables_is_sent_again_with_them_under_its_number(
    server: ServerHarness, tmp_path: Path
) -> None:
    client = Client(server, tmp_path, family="digits")
    unpublished = write_bundle(tmp_path / "later", "digits", 2, tables(33)).tables
    stream = json.loads((tmp_path / "later/bundle.json").read_text())["tables"]
    client.state.write_text(json.dumps(client.memory | {"tables": stream}))
    (tmp_path / "frame.jpg").write_bytes(Encoder(unpublished).encode(picture(0), Stream.ABBREVIATED))
    (answer,) = client.type("post", tmp_path / "frame.jpg")
    assert (answer["id"].split(".")[1], answer["match"]) == ("1", "fallback")
    assert [one["match"] for one in client.type("batch", tmp_path / "frame.jpg")] == ["fallback"]


def test_a_client_that_lost_count_goes_on_above_what_it_had_sent(client: Client, tmp_path: Path) -> None:
    pictures = jpegs(tmp_path, 8)
    client.type("post", *pictures[:3])
    client.state.write_text(json.dumps(client.memory | {"next_sequence": 1}))
    answers = client.type("post", *pictures[3:5])
    client.state.write_text(json.dumps(client.memory | {"next_sequence": 2}))
    answers += client.type("batch", *pictures[5:])
    assert [answer["id"].split(".")[1] for answer in answers] == ["4", "5", "6", "7", "8"]


@pytest.mark.parametrize("believed", [1, 2**60])
@pytest.mark.parametrize("command", ["post", "batch"])
def test_a_device_that_forgot_its_numbers_goes_on_above_the_highest(
    client: Client, tmp_path: Path, command: str, believed: int
) -> None:
    pictures = jpegs(tmp_path, 4)
    client.type("post", *pictures[:2])
    client.state.write_text(json.dumps(client.memory | {"next_sequence": believed}))
    again = client.type(command, *pictures[2:])
    assert [int(answer["id"].split(".")[1]) for answer in again] == [3, 4]


def test_what_is_over_the_quota_is_sent_later(client: Client, tmp_path: Path) -> None:
    pictures = jpegs(tmp_path, 1) * 256
    first, second = client.run("batch", *pictures), client.run("batch", *pictures[:60])
    assert "quota-exceeded" in second.stderr
    assert len((first.stdout + second.stdout).splitlines()) == 316


def test_a_refusal_is_said_in_the_servers_words(server: ServerHarness, client: Client, tmp_path: Path) -> None:
    address = server.addresses["device"]
    claim = run(tmp_path / "another.json", "enrol", "--server", address, "--claim", "AAAA-BBBB-CCCC")
    (tmp_path / "text.jpg").write_text("no picture")
    posted = client.run("post", tmp_path / "text.jpg")
    assert claim.returncode == posted.returncode == 1
    assert claim.stderr.startswith("client.py: invalid-claim: ")
    assert posted.stderr.startswith("client.py: not-a-jpeg: ")


@pytest.mark.parametrize("name", ["gone/device.json", "."])
def test_where_no_identity_can_be_kept_the_claim_code_stays_good(
    server: ServerHarness, tmp_path: Path, name: str
) -> None:
    words = ("enrol", "--server", server.addresses["device"], "--claim", claim_code(server))
    refused = run(tmp_path / name, *words)
    assert refused.returncode == 1 and refused.stderr.startswith("client.py: ")
    assert run(tmp_path / "device.json", *words).returncode == 0


def test_a_second_enrolment_leaves_the_identity_and_the_claim_code(
    server: ServerHarness, client: Client, tmp_path: Path
) -> None:
    before, words = client.memory, ("enrol", "--server", server.addresses["device"], "--claim", claim_code(server))
    refused = client.run(*words)
    assert refused.returncode == 1 and "holds a device's identity already" in refused.stderr
    assert client.memory == before
    assert run(tmp_path / "another.json", *words).returncode == 0


@pytest.mark.parametrize("command", ["post", "batch", "tables"])
def test_a_device_that_is_not_enrolled_is_told_to(tmp_path: Path, command: str) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"")
    done = run(tmp_path / "device.json", command, tmp_path / "picture.jpg")
    assert done.returncode == 1
    assert (
        done.stderr
        == f"client.py: {tmp_path}/device.json holds no identity: this device is not enrolled, `enrol` first\n"
    )


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "localhost:8000", "camera-server", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_named_at_once(tmp_path: Path, address: str) -> None:
    done = run(tmp_path / "device.json", "enrol", "--server", address, "--claim", "AAAA-BBBB-CCCC")
    assert done.returncode == 1
    assert done.stderr == f"client.py: {address!r} is no address of a server, which looks like http://127.0.0.1:8000\n"


@pytest.mark.parametrize("plane", ["operator", "ops"])
def test_another_plane_is_named_at_once(server: ServerHarness, tmp_path: Path, plane: str) -> None:
    words = ("enrol", "--server", server.addresses[plane], "--claim", claim_code(server))
    done = run(tmp_path / "device.json", *words)
    assert done.returncode == 1 and done.stdout == ""
    assert f"{server.addresses[plane]} is not the device plane" in done.stderr
    assert "again in" not in done.stderr
    assert [*json.loads((tmp_path / "device.json").read_text())] == ["next_sequence", "secret"]  # for the right address
    assert "not enrolled" in run(tmp_path / "device.json", "tables", tmp_path / "tables.jpg").stderr


def test_the_page_shows_how_signatures_are_verified(server: ServerHarness) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(code, names)  # the page's own code
    tuf = server.client("device")
    root = json.loads((server.keys / "root.json").read_bytes())
    timestamp = tuf.get("/tuf/digits/timestamp.json").json()
    names["verify"](root, "root", root)
    names["verify"](timestamp, "timestamp", root)
    timestamp["signed"]["version"] += 1
    with pytest.raises(ValueError, match="timestamp"):
        names["verify"](timestamp, "timestamp", root)


def test_the_page_says_what_to_do_on_every_retry() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.M)) >= {retry.value for retry in Retry}
