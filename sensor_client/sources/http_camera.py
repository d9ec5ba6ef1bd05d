"""IP cameras over HTTP: an address that gives one picture a request, or a stream of them (multipart)."""

import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import httpcore

from sensor_client.backoff import delay_seconds
from sensor_client.deadline_network import DeadlineNetwork
from sensor_client.logs import get_logger
from sensor_client.sources.camera_login import Authentication, challenges, read_login
from sensor_client.sources.handover import Handover
from sensor_client.sources.http_address import HttpAddress
from sensor_client.sources.opening import SourceSettings, SourceSurroundings
from sensor_client.sources.read_shot import ReadShot
from sensor_client.sources.shot import SourceError
from sensor_client.sources.splitting import FRAME_LIMIT_BYTES, JpegSplitter
from shared.errors import ChannelError, DctwireError
from shared.plain_text import escaped

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 10.0
PICTURE_SECONDS = 30.0
"""For one picture, whole: a request's, or the next of a stream."""
HEAD_LIMIT_BYTES = 64 * 1024
FLOOR_SECONDS = 0.2
"""Between two requests, at least."""
REFUSED_LOGIN_SECONDS = 60.0
"""Between two logins after one was refused: a camera may lock an account."""
REQUESTS = 4
"""For one picture, at most: challenges and redirects answered."""
LONGEST_PAUSE_SECONDS = 60.0

_WAITS = {
    "connect": CONNECT_SECONDS,
    "read": SILENCE_SECONDS,
    "write": SILENCE_SECONDS,
    "pool": SILENCE_SECONDS,
}
_STREAMS = ("multipart/", "video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg")
_NO_PICTURES = ("text/", "application/json", "application/xml", "application/xhtml")
_FAULTS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    ChannelError,
    OSError,
)

_log = get_logger(__name__)


class CameraFaultError(DctwireError):
    """No picture came.

    Args:
        floor_seconds: to be waited at least, before the next request.
    """

    def __init__(self, reason: str, floor_seconds: float = FLOOR_SECONDS) -> None:
        super().__init__(reason)
        self.floor_seconds = floor_seconds


class HttpCamera:
    """Asks for the address when a picture is wanted, and goes on reading where the answer is a stream: of this the
    newest picture is given. Proxies of the environment are not used, cookies not kept."""

    shot_count = None

    def __init__(
        self,
        address: HttpAddress,
        around: SourceSurroundings,
        *,
        login: Authentication | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            tls: for https.
        """
        self._address = address
        self._login = login
        self._clock = around.clock
        self._random = around.random
        self._health = around.health
        self._network = DeadlineNetwork(around.clock)
        self._pool = httpcore.ConnectionPool(ssl_context=tls, max_connections=4, network_backend=self._network)
        self._has_told_password = False

    def shots(self, stop: threading.Event) -> Generator[ReadShot, None, None]:
        """See `Camera`."""
        try:
            yield from self._shots(stop)
        finally:
            self._pool.close()

    def _shots(self, stop: threading.Event) -> Iterator[ReadShot]:
        faults, has_come = 0, False
        while not stop.is_set():
            began_seconds = self._clock.monotonic_seconds()
            pause_seconds = FLOOR_SECONDS
            handover = Handover(self._pictures, keeps_newest=True, dropped=self._health.drop)
            try:
                with closing(handover.taken(stop)) as taken:
                    for shot in taken:
                        faults, has_come = 0, True
                        yield shot
            except CameraFaultError as fault:
                if not has_come:  # otherwise a connection that was kept and is closed by now: no fault
                    self._health.lost(f"{self._address}: {fault}")
                    jitter_seconds = delay_seconds(faults, None, self._random)
                    pause_seconds = max(fault.floor_seconds, jitter_seconds)
                    faults += 1
                has_come = False
            spent_seconds = self._clock.monotonic_seconds() - began_seconds
            self._clock.wait(stop, pause_seconds if faults else max(0.0, pause_seconds - spent_seconds))

    def _pictures(self) -> Iterator[ReadShot]:
        """The pictures of one answer.

        Raises:
            CameraFaultError: there is none.
        """
        try:
            for picture in self._answer(self._address, REQUESTS):
                yield ReadShot(picture, str(self._address), captured_at=self._clock.now())
        except _FAULTS as error:
            raise CameraFaultError(_said(error)) from error

    def _answer(self, address: HttpAddress, requests: int) -> Iterator[bytes]:
        with self._network.exchange(PICTURE_SECONDS, HEAD_LIMIT_BYTES + FRAME_LIMIT_BYTES):
            with self._asked(address) as response:
                if response.status == 200:
                    yield from self._body(response)
                    return
                location = _values(response, b"location")
                is_worth_it = response.status == 401 and self._takes_challenge(response)
            is_redirect = bool(location) and 300 <= response.status < 400
            there = address.redirected(location[0]) if is_redirect else address if is_worth_it else None
            if there is None or requests <= 1:
                raise self._refusal(response)
            yield from self._answer(there, requests - 1)

    def _asked(self, address: HttpAddress) -> AbstractContextManager[httpcore.Response]:
        headers = [(b"Host", address.authority.encode()), (b"Accept", b"image/*, multipart/x-mixed-replace")]
        authorization = self._login.header("GET", address.target) if self._login else None
        if authorization is not None:
            headers.append((b"Authorization", authorization.encode()))
        scheme, host, target = (each.encode() for each in (address.scheme, address.host, address.target))
        url = httpcore.URL(scheme=scheme, host=host, port=address.port, target=target)
        return self._pool.stream("GET", url, headers=headers, extensions={"timeout": _WAITS})

    def _body(self, response: httpcore.Response) -> Iterator[bytes]:
        kind = "".join(_values(response, b"content-type")[:1]).strip().lower()
        if kind.startswith(_STREAMS):
            yield from self._stream(response)
        elif kind.startswith(_NO_PICTURES):
            raise CameraFaultError(
                f"answers with {escaped(kind[:60])}: is that the address of a picture, or of a page?"
            )
        else:
            yield self._whole(response)

    def _whole(self, response: httpcore.Response) -> bytes:
        body = bytearray()
        for piece in response.iter_stream():
            body += piece
            self._network.seconds_left()
            if len(body) > FRAME_LIMIT_BYTES:
                raise CameraFaultError(f"answers with a picture longer than {FRAME_LIMIT_BYTES} bytes")
        if not body:
            raise CameraFaultError("answers with nothing")
        return bytes(body)

    def _stream(self, response: httpcore.Response) -> Iterator[bytes]:
        splitter, damages = JpegSplitter(), 0
        for piece in response.iter_stream():
            self._network.seconds_left()
            for picture in splitter.pictures(piece):
                yield picture
                self._allow_another()
            if splitter.damages > damages:
                damages = splitter.damages
                _log.warning("stream-damaged", source=str(self._address), times=damages)
        rest = splitter.rest()
        if rest is not None:
            yield rest

    def _allow_another(self) -> None:
        """Give the next picture of a stream the time and the bytes of one."""
        with self._network.exchange(PICTURE_SECONDS, HEAD_LIMIT_BYTES + FRAME_LIMIT_BYTES):
            pass

    def _takes_challenge(self, response: httpcore.Response) -> bool:
        if self._login is None:
            return False
        is_worth_it = self._login.take(challenges(_values(response, b"www-authenticate")))
        if is_worth_it and self._login.sends_password and self._address.scheme == "http":
            if not self._has_told_password:
                _log.warning("login-readable", source=str(self._address), reason="Basic over http shows the password")
            self._has_told_password = True
        return is_worth_it

    def _refusal(self, response: httpcore.Response) -> CameraFaultError:
        if response.status in (401, 403) and self._login is not None:
            self._login.forget()
            return CameraFaultError(f"refuses the login (HTTP {response.status})", REFUSED_LOGIN_SECONDS)
        if response.status == 401:
            return CameraFaultError("asks for a login: name a file with user:password by --source-login")
        if 300 <= response.status < 400:
            return CameraFaultError(f"leads elsewhere (HTTP {response.status}): give the address of the picture itself")
        return CameraFaultError(f"answers with HTTP {response.status}", _retry_after_seconds(response))


def open_http_camera(address: str, settings: SourceSettings, around: SourceSurroundings) -> HttpCamera | None:
    """A camera for an http or https address, which need not answer yet; None for another address.

    Raises:
        SourceError: the address, the login's file or the certificates cannot be used.
    """
    if not address.lower().startswith(("http://", "https://")):
        return None
    place = HttpAddress.parse(address)
    login = None if settings.login is None else Authentication(read_login(settings.login), around.random)
    tls = tls_context(settings.authorities) if place.scheme == "https" else None
    return HttpCamera(place, around, login=login, tls=tls)


def tls_context(authorities: Path | None) -> ssl.SSLContext:
    """How https cameras are known: by the usual authorities and their name, or by certificates of one's own alone, and
    then whatever name is used: a camera's own certificate seldom bears the address that it has.

    Raises:
        SourceError: there is no certificate in the file.
    """
    if authorities is None:
        return httpcore.default_ssl_context()
    try:
        context = ssl.create_default_context(cadata=authorities.read_text("ascii", "replace"))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SourceError(f"{authorities}: there is no certificate (PEM) to know the camera by") from error
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _values(response: httpcore.Response, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in response.headers if key.lower() == name]


def _retry_after_seconds(response: httpcore.Response) -> float:
    said = "".join(_values(response, b"retry-after")[:1])
    return min(LONGEST_PAUSE_SECONDS, float(said)) if said.isdecimal() and len(said) < 6 else FLOOR_SECONDS


def _said(error: Exception) -> str:
    said = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"no TLS connection ({said}); a camera's own certificate is given by --source-ca"
    return f"no HTTP answer ({said})" if isinstance(error, httpcore.RemoteProtocolError) else said
