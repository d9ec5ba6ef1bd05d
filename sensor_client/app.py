"""`dctwire-sensor`: the command line, and the one place where the sensor's parts are put together."""

import os
import random
import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sensor_client import device_channel, logs, options, report
from sensor_client.active_bundle import ActiveBundle
from sensor_client.capture import Capture, CaptureSettings
from sensor_client.clock import SystemClock
from sensor_client.device_channel import DeviceChannel
from sensor_client.enrolment import enrol as enrol_device
from sensor_client.errors import UnauthorisedError
from sensor_client.http_line import HttpLine
from sensor_client.offline import OfflineSettings, encode_pictures
from sensor_client.ota import Slots, Updater, UpdateSettings, UpdateStateFile
from sensor_client.sensor import Sensor
from sensor_client.signals import Signals
from sensor_client.sources import Camera, SourceError, UnknownSourceError, open_source
from sensor_client.spool import Spool, SpoolError, SpoolLimits, first_sequence_of
from sensor_client.state_directory import StateDirectory, StateError
from sensor_client.status import read_status
from sensor_client.uploader import Uploader, UploadSettings
from sensor_client.wrong_address import WrongAddressError, explained
from shared.bundle import Bundle, BundleError
from shared.command_line import CommandLine, program_options
from shared.errors import ChannelError, DctwireError, RefusedError
from shared.jpeg import Stream
from shared.pictures import PictureError
from shared.proxies import ProxyError
from shared.trust import TrustClient, TrustError
from shared.wire import Enrolment

EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (WrongAddressError, 2),
    (UnauthorisedError, 4),
    (RefusedError, 4),
    (ChannelError, 5),
    (SourceError, 6),
    (PictureError, 6),
    (BundleError, 6),
    (StateError, 3),
    (SpoolError, 3),
    (OSError, 3),
)

SECRET_BYTES = 32

HELP = """The camera's side of dctwire.

It encodes pictures with the tables it was sent, keeps them on disk until the server has them, and renews its
tables over the air without stopping. A first session:

\b
    dctwire-sensor enrol --server http://127.0.0.1:8000 --claim CODE \\
        --state device --root root.json
    dctwire-sensor run --state device --source pictures --rate 5
    dctwire-sensor status --state device

Exit codes:

\b
- 0: done, or stopped by SIGTERM or SIGINT, with everything safe on disk
- 1: a fault of this program
- 2: wrong usage, or no device plane at --server
- 3: --state cannot be used: not enrolled, damaged, in use, or the disk full
- 4: the server refused this device or its claim code
- 5: the server could not be reached
- 6: the pictures or the bundle given cannot be used
"""

app = typer.Typer(
    cls=CommandLine,
    callback=program_options,
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # plain text: no frame to squeeze the names of environment variables into
)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except (DctwireError, OSError) as error:
        _exit(error)


@app.command(short_help="Give this device an identity, once.")
def enrol(server: options.Server, claim: options.Claim, state: options.State, root: options.Root) -> None:
    """Give this device an identity: its claim code becomes a device id and a secret token, kept in --state.

    Enrolling again changes nothing and spends no claim code; a root that is not the server's spends none either.
    Where the server's answer was lost, enrol again with the same code: a secret in --state tells whose it is.
    """
    clock, directory, trusted = SystemClock(), StateDirectory(state), root.read_bytes()
    with _line(server, clock) as line:

        def ask_server() -> Enrolment:
            try:
                _check_root(line, trusted)
                secret = directory.secret(fresh=secrets.token_urlsafe(SECRET_BYTES))
                return device_channel.enrol(line, claim, secret, clock.now())
            except UnauthorisedError:
                raise
            except (RefusedError, ChannelError, typer.BadParameter) as error:
                raise explained(error, line, partial(HttpLine, clock=clock, environment=os.environ)) from error

        outcome = enrol_device(directory, server.rstrip("/"), trusted, ask_server)
    enrolment = outcome.identity.enrolment
    verb = "enrolled" if outcome.is_new else "was enrolled already"
    typer.echo(f"{enrolment.device_id} {verb} in family {enrolment.family} at {outcome.identity.server_url}")
    if not outcome.is_new:
        typer.echo(f"The claim code was not used; to enrol anew, first remove {directory.identity_file}", err=True)


@app.command(short_help="Take pictures, encode, keep and send them.")
def run(
    state: options.State,
    source: options.Source,
    rate: options.Rate = None,
    loop: options.Loop = True,
    count: options.Count = None,
    batch: options.BatchSize = 1,
    linger: options.Linger = UploadSettings.linger_seconds,
    stream: options.StreamKind = options.SentStream.ABBREVIATED,
    send_labels: options.SendLabels = False,
    show_results: options.ShowResults = False,
    exit_when_drained: options.ExitWhenDrained = False,
    poll: options.Poll = 300.0,
    spool_bytes: options.SpoolBytes = SpoolLimits.frame_bytes,
    spool_frames: options.SpoolFrames = SpoolLimits.frames,
    log_level: options.Level = options.LogLevel.INFO,
) -> None:
    """Take pictures, encode, spool and upload them, and pick up new tables on the way.

    A device that has no tables yet asks for its assignment, and takes no picture before it has them. From then on
    nothing waits for an update. SIGTERM and SIGINT end the program in order; SIGKILL or a power cut lose no spooled
    frame.
    """
    if exit_when_drained and loop and count is None:
        raise typer.BadParameter("a looping source never drains; add --once or --count")
    logs.configure(log_level)
    camera = _camera(source, is_looping=loop)
    settings = RunSettings(
        state=StateDirectory(state),
        camera=camera,
        capture=CaptureSettings(stream=Stream(stream), frames_per_second=rate, count=count, keeps_labels=send_labels),
        upload=UploadSettings(batch=batch, linger_seconds=linger, ends_when_drained=exit_when_drained),
        limits=SpoolLimits(frame_bytes=spool_bytes, frames=spool_frames),
        wants_results=show_results,
        poll_seconds=poll,
    )
    with _assembled(settings) as (sensor, spool, signals):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: signals.request_stop())
        ends = [end for end in (count, camera.shot_count) if end is not None]
        with _progress(spool, min(ends, default=None)) as watch:
            sensor.run(watch)


@app.command(short_help="Encode pictures here, and print what they cost.")
def encode(
    images: options.Images,
    bundle: options.BundleFile = None,
    quality: options.Quality = None,
    out: options.Out = None,
    stream: options.StreamKind = options.SentStream.ABBREVIATED,
) -> None:
    """Encode pictures here, without a server, and print what they cost in bytes.

    Give --bundle or --quality. With --out, abbreviated frames become NAME.dwj, their tables ID.tables.jpg once;
    interchange streams become NAME.jpg.
    """
    if bundle is not None and quality is None:
        settings = OfflineSettings.of_bundle(Bundle.from_bytes(bundle.read_bytes()))
    elif quality is not None and bundle is None:
        settings = OfflineSettings.of_quality(quality)
    else:
        raise typer.BadParameter("give either --bundle or --quality")
    pictures = encode_pictures(images, settings, Stream(stream), out)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        rows = list(progress.track(pictures, total=len(images), description="encoding"))
    Console().print(report.encoded_table(rows, settings.encoding.tables, Stream(stream)))


@app.command(short_help="Print the state of the device.")
def status(state: options.State, json: options.AsJson = False) -> None:
    """Print the state of the device: identity, tables, what waits, what was sent. Works beside `run`."""
    answer = read_status(StateDirectory(state))
    if json:
        typer.echo(answer.model_dump_json())
    else:
        Console().print(report.status_table(answer))


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What `run` was asked to do."""

    state: StateDirectory
    camera: Camera
    capture: CaptureSettings
    upload: UploadSettings
    limits: SpoolLimits
    wants_results: bool
    poll_seconds: float


@contextmanager
def _assembled(settings: RunSettings) -> Iterator[tuple[Sensor, Spool, Signals]]:
    """Put together everything that `run` needs, and close it at the end."""
    state, clock, chance = settings.state, SystemClock(), random.SystemRandom().random
    identity = state.identity()
    if identity is None:
        raise StateError(f"{state.path} is not enrolled; run `dctwire-sensor enrol` first")
    with ExitStack() as stack:
        stack.enter_context(state.claimed())
        has_run_before = state.update_state_file.exists()  # written before the first picture is taken
        spool = Spool(state.spool_file, settings.limits, first_sequence_of(has_run_before, chance()))
        stack.callback(spool.close)
        line = stack.enter_context(_line(identity.server_url, clock))
        enrolment = identity.enrolment
        slots = Slots(state.slots)
        active = ActiveBundle(slots.active())
        state_file = UpdateStateFile(state.update_state_file)
        signals = Signals(state_file.load().seq)
        channel = DeviceChannel(
            line=line,
            device_id=enrolment.device_id,
            token=enrolment.token,
            clock=clock,
            assignment_seen=signals.notice_assignment,
            wants_results=settings.wants_results,
        )
        updater = Updater(
            channel=channel,
            trust=TrustClient(state.trust, state.root(), channel.fetch),
            slots=slots,
            state_file=state_file,
            active=active,
            clock=clock,
            random=chance,
            signals=signals,
            settings=UpdateSettings(family=enrolment.family, poll_seconds=settings.poll_seconds),
        )
        capture = Capture(
            camera=settings.camera,
            active=active,
            spool=spool,
            clock=clock,
            random=chance,
            signals=signals,
            settings=settings.capture,
        )
        uploader = Uploader(
            spool=spool,
            channel=channel,
            clock=clock,
            random=chance,
            signals=signals,
            settings=settings.upload,
        )
        yield Sensor(capture=capture, uploader=uploader, updater=updater, signals=signals), spool, signals


@contextmanager
def _progress(spool: Spool, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a progress bar of frames answered, where a person watches and the end is known."""
    console = Console(stderr=True)
    if total is None or not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    before = spool.counters()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("frames", total=total + spool.depth().frames)

        def watch() -> None:
            after = spool.counters()
            settled = ("acknowledged", "refused", "dropped", "unreadable")
            done = sum(getattr(after, name) - getattr(before, name) for name in settled)
            progress.update(task, completed=done, description=f"frames ({spool.depth().frames} waiting)")

        yield watch


def _check_root(line: HttpLine, root: bytes) -> None:
    """Refuse a `root` that does not verify what this server publishes: no bundle would ever be believed."""
    with tempfile.TemporaryDirectory() as folder:
        fetch = partial(device_channel.fetch_before_enrolling, line)
        try:
            TrustClient(Path(folder), root, fetch).targets()
        except TrustError as error:
            raise typer.BadParameter(
                f"it does not verify what {line.url} publishes ({error}). Take root.json from the folder that dctwire "
                "trust init made for this server, and check this device's clock",
                param_hint="--root",
            ) from error
        except ChannelError:
            return  # enrolling meets the same fault, and reports it better


def _camera(address: str, *, is_looping: bool) -> Camera:
    try:
        return open_source(address, is_looping=is_looping)
    except UnknownSourceError as error:
        raise typer.BadParameter(str(error), param_hint="--source") from error


def _line(server_url: str, clock: SystemClock) -> HttpLine:
    try:
        return HttpLine(server_url, clock, os.environ)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--server") from error
    except ProxyError as error:
        raise typer.BadParameter(str(error), param_hint=error.variable) from error


def _exit(error: Exception) -> NoReturn:
    Console(stderr=True).print(f"dctwire-sensor: {error}", markup=False, highlight=False, soft_wrap=True)
    code = next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
    raise SystemExit(code)
