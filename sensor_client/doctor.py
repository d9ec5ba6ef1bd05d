"""Everything that a person needs to know of a device that does not do what it should, on one page.

Nothing is changed, and `run` may work meanwhile. The server is asked once for the device's assignment; `examine_files`
asks nobody.
"""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sensor_client.clock import Clock
from sensor_client.device_channel import DeviceChannel
from sensor_client.errors import UnauthorisedError
from sensor_client.findings import Finding, bad, guarded, ok, warn
from sensor_client.http_line import HttpLine
from sensor_client.membership import KeptOut
from sensor_client.state_directory import Identity, StateDirectory
from sensor_client.status import Status, read_status
from sensor_client.status_words import facts
from shared import trust as shared_trust
from shared.errors import ChannelError
from shared.proxies import proxy_for
from shared.wire import Enrolment

LOOK_UP_SECONDS = 10.0
CONNECT_SECONDS = 5.0
FREE_BYTES_BAD, FREE_BYTES_FEW = 16 << 20, 256 << 20
PRIVATE = ("identity.json", "identity-copy.json", "secret", "spool.sqlite3")
"""Files of a state directory that nobody else may read."""

_ENROL = "dctwire-sensor enrol --server URL --claim CODE --root root.json --state STATE"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Patient:
    """The device that is examined, and its surroundings.

    Args:
        look_at_source: finds how the source is; None where none was named.
    """

    state: StateDirectory
    clock: Clock
    environment: Mapping[str, str]
    look_at_source: Callable[[], Finding] | None


class _KnownToken:
    """Lends the token; what the server says of it is its caller's business."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment

    def enrolment(self) -> Enrolment:
        return self._enrolment

    def refused(self, token: str) -> None:
        """Told by the finding."""

    def accepted(self, token: str) -> None:
        """Told by the finding."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at everything, in the order in which one thing depends on another."""
    yield from _device(patient)
    identity = _identity(patient.state)
    if identity is None:
        return
    yield from _server(patient, identity)
    yield from _condition(read_status(patient.state))
    if patient.look_at_source is None:
        yield warn(
            "source", "none was named", "Give --source, or source in the configuration file, to have it looked at"
        )
    else:
        yield patient.look_at_source()


def examine_files(patient: Patient) -> Iterator[Finding]:
    """Look at what this device's own disk and clock tell: nobody is asked anything, so nothing is waited for."""
    yield from _device(patient)
    if _identity(patient.state) is not None:
        yield from _condition(read_status(patient.state))


def _device(patient: Patient) -> Iterator[Finding]:
    state = patient.state
    if not state.path.is_dir():
        yield bad("state", f"{state.path} does not exist", _ENROL)
        return
    yield guarded("disk", lambda: disk(state), "Make room, or mount the disk writable")
    yield guarded("permissions", lambda: permissions(state), f"chown and chmod 0600 the files in {state.path}")
    yield guarded("identity", lambda: _who(state), _ENROL)
    identity = _identity(state)
    if identity is not None:
        yield guarded("clock", lambda: clock_of(patient, identity), "Set the clock: timedatectl set-ntp true")


def disk(state: StateDirectory) -> Finding:
    """Whether the state directory has room."""
    space = os.statvfs(state.path)
    free = space.f_bavail * space.f_frsize
    said = f"{free >> 20} MiB are free where {state.path} lies"
    if space.f_flag & os.ST_RDONLY:
        return bad(
            "disk", f"{state.path} lies on a disk that is mounted read-only", "Mount it writable: mount -o remount,rw"
        )
    if free < FREE_BYTES_BAD or (space.f_files and not space.f_favail):
        return bad("disk", said, "Make room: frames are dropped, and no tables can be taken")
    if free < FREE_BYTES_FEW:
        return warn("disk", said, "Make room, or give the spool a smaller quota: --spool-bytes")
    return ok("disk", said)


def permissions(state: StateDirectory) -> Finding:
    """Whether this user may write the state, and nobody else may read it."""
    if not os.access(state.path, os.W_OK | os.X_OK):
        return bad("permissions", f"this user may not write {state.path}", "Type it as the user that `run` runs as")
    for name in PRIVATE:
        path = state.path / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return warn("permissions", f"others may read {path}", f"chmod 0600 {path}")
    return ok("permissions", f"{state.path} is writable, and its secrets are private")


def clock_of(patient: Patient, identity: Identity) -> Finding:
    """Whether the clock can be right: not before the newest signature, nor the making of this program."""
    trust = shared_trust.TrustClient(patient.state.trust, patient.state.root(), _asks_nobody, identity.enrolment.family)
    floor = trust.standing().time_floor
    now = datetime.fromtimestamp(patient.clock.now(), UTC)
    said = f"it is {now:%Y-%m-%d %H:%M} UTC here"
    if now < floor:
        return bad(
            "clock", f"{said}, and certainly {floor:%Y-%m-%d %H:%M} or later", "Set the clock: timedatectl set-ntp true"
        )
    return ok("clock", said)


def _identity(state: StateDirectory) -> Identity | None:
    try:
        return state.identity()
    except Exception:  # noqa: BLE001 - told by the check of its own
        return None


def _who(state: StateDirectory) -> Finding:
    identity = state.identity()
    if identity is None:
        return bad("identity", "this device is not enrolled", _ENROL)
    enrolment = identity.enrolment
    return ok("identity", f"{enrolment.device_id} of family {enrolment.family}, with {identity.server_url}")


def _server(patient: Patient, identity: Identity) -> Iterator[Finding]:
    url = urlsplit(identity.server_url)
    host, port = url.hostname or "", url.port or _PORTS.get(url.scheme, 0)
    proxy_step = "Unset the variable, or name an HTTP proxy"
    proxy = guarded("proxy", lambda: _proxy(identity.server_url, patient.environment), proxy_step)
    yield proxy
    if proxy.said == _DIRECTLY:
        names = guarded(
            "dns", lambda: _dns(host, port), f"Look at this network and its name server: getent hosts {host}"
        )
        yield names
        if names.next_step:
            return
        reach = f"Look whether the server runs, and whether a firewall is between: nc -vz {host} {port}"
        reached = guarded("tcp", lambda: _tcp(host, port), reach)
        yield reached
        if reached.next_step:
            return
    yield guarded("server", lambda: _asked(patient, identity), "Look at the server's log")


_DIRECTLY = "none: the server is called directly"


def _proxy(url: str, environment: Mapping[str, str]) -> Finding:
    proxy = proxy_for(url, environment)
    return ok("proxy", _DIRECTLY if proxy is None else f"the server is called through {proxy}")


def _dns(host: str, port: int) -> Finding:
    """Look a name up, within a time: the system's own look-up knows no deadline."""
    found: list[str] = []
    faults: list[OSError] = []

    def look_up() -> None:
        try:
            found.extend(str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            faults.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LOOK_UP_SECONDS)
    if faults:
        raise faults[0]
    if not found:
        raise TimeoutError(f"{host} was not found within {LOOK_UP_SECONDS:.0f} s")
    return ok("dns", f"{host} is {', '.join(dict.fromkeys(found))}")


def _tcp(host: str, port: int) -> Finding:
    with socket.create_connection((host, port), CONNECT_SECONDS):
        return ok("tcp", f"{host} takes connections at port {port}")


def _asked(patient: Patient, identity: Identity) -> Finding:
    """TLS, HTTP and the token, by a request that `run` makes as well."""
    secured = "TLS, " if identity.server_url.startswith("https") else ""
    with HttpLine(identity.server_url, patient.clock, patient.environment, identity.authorities) as line:
        channel = DeviceChannel(
            line=line,
            access=_KnownToken(identity.enrolment),
            clock=patient.clock,
            assignment_seen=lambda _seq, _settings: None,
        )
        try:
            channel.assignment()
        except UnauthorisedError as error:
            kept_out = KeptOut.of(identity.enrolment.device_id)
            return bad("server", f"it refuses this device's token ({error}): {kept_out.means}", kept_out.operator_types)
        except ChannelError as error:
            return bad("server", str(error), "See what answers at the server's address, its certificate and its log")
    return ok("server", f"{secured}HTTP and the token are fine")


def _condition(status: Status) -> Iterator[Finding]:
    """What the files tell of tables, spool and faults, in the words of `status`."""
    said = dict(facts(status))
    for fault in status.faults:
        yield bad("state", fault, "While `run` works it mends what it can; otherwise its log says what to do")
    if status.active_bundle is None:
        yield warn("tables", said["tables in use"], "dctwire assign FAMILY COUNTER, on the operator's machine")
    else:
        yield ok("tables", said["tables in use"])
    if status.last_refused is not None:
        yield warn("update", said["last refused"], "See what is said of it; pictures are taken with the tables before")
    if status.trust is not None and status.trust.is_stale:
        yield warn("trust", said["signed lists"], "dctwire trust renew, on the operator's machine")
    yield ok("spool", said["to be sent"])
    if status.dead_letters:
        yield warn("refused", said["refused frames"], "See why in the log: frame-refused")
    for picture in status.unreadable_pictures[:1]:
        yield warn("pictures", f"{picture.name}: {picture.reason}", "See all of them: dctwire-sensor status")


def _asks_nobody(path: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
    raise ChannelError(f"{path} is not fetched to look at the clock")
