"""IP cameras over HTTP, simulated by sockets that say what cameras say, and worse."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sensor_client.clock import SystemClock
from sensor_client.sources import Camera, Condition, SourceError, SourceSettings, SourceSurroundings, open_source
from sensor_client.sources.http_camera import FLOOR_SECONDS, PICTURE_SECONDS, REFUSED_LOGIN_SECONDS, REQUESTS
from tests.cloud_server.harness.certificates import write_certificate
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.raw_server import RawServer, Says, dripping, endless, whole
from tests.sensor_client.sources.test_splitting import JPEGS

PART = b"--cam\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n"
STREAM_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=--cam\r\n\r\n"


def reply(body: bytes, kind: str = "image/jpeg", status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def closing(data: bytes) -> Says:
    """Say this, and hang up, as HTTP/1.0 does."""

    def say(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return say


def camera_at(url: str, around: SourceSurroundings, **settings: Any) -> Camera:
    return open_source(url, SourceSettings(**settings), around)


def first(camera: Camera, count: int) -> list[bytes | None]:
    """The first pictures; then it is let go of."""
    with contextlib.closing(camera.shots(threading.Event())) as shots:
        return [next(shots).jpeg() for _ in range(count)]


def until_lost(camera: Camera, around: SourceSurroundings, clock: FakeClock, times: int = 1) -> str:
    """Let it fail this often; what it says then."""
    stop = threading.Event()
    told: list[str] = []

    def note(_: float) -> None:
        if around.health.report.condition is Condition.LOST:
            told.append(around.health.report.fault or "")
        if len(told) == times:
            stop.set()

    clock.on_wait = note
    assert list(camera.shots(stop)) == []
    return told[-1]


@pytest.fixture
def login(tmp_path: Path) -> Path:
    file = tmp_path / "login"
    file.write_text("admin:secret\n")
    file.chmod(0o600)
    return file


def test_an_address_of_a_picture_is_asked_for_each_over_one_connection(
    around: SourceSurroundings, clock: FakeClock
) -> None:
    with RawServer(*(whole(reply(jpeg)) for jpeg in JPEGS)) as server:
        taken = first(camera_at(f"{server.url}/snap?channel=1", around), 4)

    assert taken == JPEGS and server.connections == 1
    assert (
        server.requests[0].startswith(b"GET /snap?channel=1 HTTP/1.1\r\n")
        and b"Authorization" not in server.requests[0]
    )
    assert clock.waits == [FLOOR_SECONDS] * 3 and around.health.report.losses == 0


def test_a_picture_says_when_it_came_and_what_it_is_called_without_the_query(
    around: SourceSurroundings, clock: FakeClock
) -> None:
    with RawServer(whole(reply(JPEGS[0]))) as server:
        shots = camera_at(f"{server.url}/snap?pwd=secret", around).shots(threading.Event())
        shot, name = next(shots), f"{server.url}/snap"
        shots.close()

    assert shot.captured_at == clock.now() and shot.pixels().shape == (24, 40, 3)
    assert getattr(shot, "name", "") == name


def test_a_stream_gives_its_newest_picture(around: SourceSurroundings) -> None:
    sent = threading.Event()

    def say(connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD + b"".join(PART % jpeg for jpeg in JPEGS[:3]))
        sent.wait(10.0)
        connection.sendall(PART % JPEGS[3])
        connection.recv(1)

    with RawServer(say) as server:
        shots = camera_at(server.url, around).shots(threading.Event())
        taken = [next(shots).jpeg()]
        sent.set()
        while taken[-1] != JPEGS[3]:
            taken.append(next(shots).jpeg())
        shots.close()

    assert len(server.requests) == 1
    assert len(taken) + around.health.report.dropped == 4


def test_a_stream_may_last_for_as_long_as_its_pictures_come(around: SourceSurroundings, clock: FakeClock) -> None:
    wanted = [threading.Event() for _ in JPEGS]

    def say(connection: socket.socket) -> None:
        connection.sendall(STREAM_HEAD)
        for jpeg, is_wanted in zip(JPEGS, wanted, strict=True):
            is_wanted.wait(10.0)
            connection.sendall(PART % jpeg)
        connection.recv(1)

    with RawServer(say) as server, contextlib.closing(camera_at(server.url, around).shots(threading.Event())) as shots:
        for jpeg, is_wanted in zip(JPEGS, wanted, strict=True):
            is_wanted.set()
            assert next(shots).jpeg() == jpeg
            clock.elapsed_seconds += PICTURE_SECONDS * 0.9

        assert len(server.requests) == 1 and around.health.report.losses == 0


def test_a_camera_that_hangs_up_after_each_picture_is_asked_again_and_is_not_lost(around: SourceSurroundings) -> None:
    with RawServer(closing(STREAM_HEAD + PART % JPEGS[0]), closing(reply(JPEGS[1]))) as server:
        taken = first(camera_at(server.url, around), 3)

    assert taken == [JPEGS[0], JPEGS[1], JPEGS[1]] and around.health.report.losses == 0


def test_a_kept_connection_that_the_camera_drops_is_no_loss_and_two_failures_are(around: SourceSurroundings) -> None:
    good, dropped = whole(reply(JPEGS[0])), closing(b"")
    with RawServer(good, dropped, good) as server:
        assert first(camera_at(server.url, around), 2) == [JPEGS[0]] * 2
    assert around.health.report.losses == 0

    with RawServer(good, dropped, dropped, good) as server:
        assert first(camera_at(server.url, around), 2) == [JPEGS[0]] * 2
    assert around.health.report.losses == 1


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (whole(reply(b"<html>login</html>", "text/html")), "answers with text/html"),
        (whole(reply(b"", "image/jpeg")), "answers with nothing"),
        (whole(reply(b"", "text/plain", "404 Not Found")), "HTTP 404"),
        (
            whole(reply(b"", "text/plain", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n')),
            "--source-login",
        ),
        (whole(reply(b"", "text/plain", "302 Found", "Location: http://elsewhere.example/\r\n")), "leads elsewhere"),
        (whole(reply(b"", "text/plain", "302 Found", "Location: /again\r\n")), "leads elsewhere"),
        (whole(b"\xff\xd8 no HTTP at all\r\n\r\n"), "no HTTP answer"),
        (closing(b""), "no HTTP answer"),
        (closing(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 999\r\n\r\nxx"), "no HTTP answer"),
        (endless(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", bytes(1024 * 1024)), "longer than"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 1000 + b"\r\n"), "HTTP"),
    ],
    ids=["page", "nothing", "404", "login", "elsewhere", "loop", "no-http", "silent", "cut", "endless", "head"],
)
def test_what_is_no_picture_is_told_and_asked_for_again_after_a_pause(
    around: SourceSurroundings, clock: FakeClock, says: Says, told: str
) -> None:
    with RawServer(says) as server:
        fault = until_lost(camera_at(f"{server.url}/x?pwd=secret", around), around, clock)

    assert told in fault and "secret" not in fault
    assert clock.waits[-1] >= FLOOR_SECONDS and len(server.requests) <= REQUESTS


def test_a_camera_that_is_not_there_is_tried_less_and_less_often_and_told_once(
    around: SourceSurroundings, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    until_lost(camera_at(url, around), around, clock, times=6)

    assert clock.waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
    assert [line["event"] for line in lines] == ["source-lost"]


def test_a_camera_that_comes_back_is_told(around: SourceSurroundings, lines: list[Mapping[str, Any]]) -> None:
    busy = whole(reply(b"", "text/plain", "503 Busy", "Retry-After: 7\r\n"))
    with RawServer(whole(reply(JPEGS[0])), busy, busy, whole(reply(JPEGS[1]))) as server:
        assert first(camera_at(server.url, around), 2) == JPEGS[:2]

    assert [line["event"] for line in lines] == ["source-lost", "source-back"]


def test_a_camera_that_drips_is_given_up_at_the_deadline(around: SourceSurroundings, clock: FakeClock) -> None:
    class Hurried(SystemClock):
        def monotonic_seconds(self) -> float:
            return super().monotonic_seconds() * PICTURE_SECONDS * 5

    class Clock(FakeClock):
        monotonic_seconds = Hurried().monotonic_seconds

    hurried = Clock()
    hurried.on_wait = clock.on_wait
    surroundings = replace(around, clock=hurried)
    with RawServer(dripping(STREAM_HEAD + b"\xff\xd8\xff\xda\x00\x02", b"x")) as server:
        fault = until_lost(camera_at(server.url, surroundings), surroundings, hurried)

    assert "no whole reply within 30 s" in fault


def test_a_camera_that_is_silent_does_not_hold_up_a_stop(around: SourceSurroundings) -> None:
    let_go, stop = threading.Event(), threading.Event()

    def be_silent(_: socket.socket) -> None:
        let_go.wait(10.0)

    with RawServer(be_silent) as server:
        threading.Timer(0.1, stop.set).start()
        assert list(camera_at(server.url, around).shots(stop)) == []
        let_go.set()


DIGEST = 'WWW-Authenticate: Digest realm="cam", nonce="n", qop="auth"\r\nWWW-Authenticate: Basic realm="cam"\r\n'


def test_a_login_is_sent_when_it_is_asked_for_and_kept_for_the_next_pictures(
    around: SourceSurroundings, login: Path
) -> None:
    challenge = whole(reply(b"", "text/plain", "401 Unauthorized", DIGEST))
    with RawServer(challenge, whole(reply(JPEGS[0]))) as server:
        assert first(camera_at(server.url, around, login=login), 2) == [JPEGS[0]] * 2

    without, *others = server.requests
    assert b"Authorization" not in without and len(others) == 2
    assert all(b'Authorization: Digest username="admin"' in each and b"secret" not in each for each in others)
    assert b"nc=00000002" in others[1] and around.health.report.losses == 0


def test_a_password_that_goes_readably_is_told_once(
    around: SourceSurroundings, login: Path, lines: list[Mapping[str, Any]]
) -> None:
    challenge = whole(reply(b"", "text/plain", "401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"\r\n'))
    with RawServer(challenge, whole(reply(JPEGS[0]))) as server:
        first(camera_at(server.url, around, login=login), 2)

    assert b"Authorization: Basic YWRtaW46c2VjcmV0" in server.requests[2]
    assert [line["event"] for line in lines] == ["login-readable"] and "secret" not in str(lines)


@pytest.mark.parametrize(
    "more", [DIGEST, DIGEST.replace('"n"', '"n", stale=true'), 'WWW-Authenticate: Basic realm="c"\r\n']
)
def test_a_login_that_is_refused_is_told_and_seldom_tried_again(
    around: SourceSurroundings, clock: FakeClock, login: Path, more: str
) -> None:
    with RawServer(whole(reply(b"", "text/plain", "401 Unauthorized", more))) as server:
        fault = until_lost(camera_at(server.url, around, login=login), around, clock)

    assert "refuses the login" in fault and "secret" not in fault
    assert clock.waits == [REFUSED_LOGIN_SECONDS] and len(server.requests) <= REQUESTS


def test_a_redirect_on_the_same_host_is_followed(around: SourceSurroundings) -> None:
    with RawServer(
        whole(reply(b"", "text/plain", "302 Found", "Location: /real.jpg\r\n")), whole(reply(JPEGS[0]))
    ) as server:
        assert first(camera_at(server.url, around), 1) == [JPEGS[0]]

    assert server.requests[1].startswith(b"GET /real.jpg ")


@contextlib.contextmanager
def tls_camera(certificate: tuple[Path, Path]) -> Iterator[str]:
    """Gives one picture over TLS to each connection, with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(65536)
                        secure.sendall(reply(JPEGS[0]))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("is_own", [True, False])
def test_a_certificate_that_is_given_alone_vouches_for_an_https_camera_by_whatever_name(
    around: SourceSurroundings, clock: FakeClock, tmp_path: Path, is_own: bool
) -> None:
    own, other = (write_certificate(tmp_path / name) for name in ("own", "other"))
    with tls_camera(own) as url:
        camera = camera_at(url, around, authorities=(own if is_own else other)[0])
        if is_own:
            assert first(camera, 1) == [JPEGS[0]]
        else:
            assert "--source-ca" in until_lost(camera, around, clock)


def test_a_file_without_a_certificate_and_a_login_in_the_address_are_refused_at_once(
    around: SourceSurroundings, login: Path
) -> None:
    with pytest.raises(SourceError, match="no certificate"):
        camera_at("https://camera/", around, authorities=login)
    with pytest.raises(SourceError, match="--source-login"):
        camera_at("http://admin:secret@camera/", around)
