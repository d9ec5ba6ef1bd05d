"""`dctwire-sensor`: the command line, and the one place where the sensor's parts are put together."""

import json
import os
import random
import secrets
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import NoReturn

import typer

from sensor_client import dead_letters, device_channel, logs, options
from sensor_client.chosen import look_at_source, rehearsed, run_settings, told_metrics, trial_camera
from sensor_client.clock import SystemClock
from sensor_client.configuration import as_text
from sensor_client.duties import DutiesFile
from sensor_client.enrolment import enrol as enrol_device
from sensor_client.enrolment import request
from sensor_client.errors import ClaimRefusedError
from sensor_client.findings import Finding, as_json, is_well, lines
from sensor_client.http_line import HttpLine
from sensor_client.once import GRACE_SECONDS, after, cut_short, wake
from sensor_client.parts import Surroundings, put_together, sensor_of
from sensor_client.pulse import Pulse, WatchedClock, WatchedStop
from sensor_client.sensor import CAPTURE, UPLOAD
from sensor_client.service_manager import ServiceManager
from sensor_client.sources import PIPES, SourceError
from sensor_client.spool import Spool, SpoolError
from sensor_client.state_directory import StateDirectory, StateError
from sensor_client.wrong_address import WrongAddressError, explained
from shared import trust
from shared.bundle import Bundle, BundleError
from shared.command_line import CommandLine, program_options
from shared.errors import ChannelError, DctwireError, RefusedError
from shared.jpeg import Stream
from shared.pictures import PictureError
from shared.plain_text import escaped_lines
from shared.proxies import ProxyError
from shared.trust import NotPublishedError, TrustError
from shared.wire import Enrolment

EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (WrongAddressError, 2),
    (RefusedError, 4),
    (ChannelError, 5),
    (SourceError, 6),
    (PictureError, 6),
    (BundleError, 6),
    (StateError, 3),
    (SpoolError, 3),
    (OSError, 3),
)

EXIT_KEPT = 7
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
- 1: a fault of this program; (`doctor`, `selftest`) something is bad
- 2: wrong usage, or no device plane at --server
- 3: --state cannot be used: not enrolled, damaged or in use
- 4: the server refused this device or its claim code
- 5: the server could not be reached
- 6: the pictures or the bundle given cannot be used; (`once`) no picture;
  (`run`) the pipe they come from has ended
- 7: (`once`) not everything could be sent; it is kept for the next time
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
app.add_typer(dead_letters.commands, name="dead-letters", short_help="Frames that the server refused for good.")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except (DctwireError, OSError) as error:
        _exit(error)


@app.command(short_help="Give this device an identity, once.")
def enrol(
    server: options.Server,
    claim: options.Claim,
    state: options.State,
    root: options.Root,
    ca: options.Authorities = None,
) -> None:
    """Give this device an identity: its claim code becomes a device id and a secret token, kept in --state.

    Enrolling again changes nothing and spends no claim code; a root that is not the server's spends none either.
    Where the server's answer was lost, enrol again with the same code: a secret in --state tells whose it is.
    """
    clock, directory, trusted = SystemClock(), StateDirectory(state), root.read_bytes()
    authorities = None if ca is None else ca.read_text("ascii", "replace")
    with _line(server, clock, authorities) as line:

        def ask_server() -> Enrolment:
            try:
                _check_root(line, trusted)
                secret = directory.secret(fresh=secrets.token_urlsafe(SECRET_BYTES))
                return device_channel.enrol(line, request(claim, secret), clock.now())
            except ClaimRefusedError:
                raise
            except (RefusedError, ChannelError, typer.BadParameter) as error:
                raise explained(error, line, lambda url: _line(url, clock, authorities)) from error

        outcome = enrol_device(
            directory, server.rstrip("/"), trusted, ask_server, claim_code=claim, authorities=authorities
        )
    enrolment = outcome.identity.enrolment
    verb = "enrolled" if outcome.is_new else "was enrolled already"
    typer.echo(f"{enrolment.device_id} {verb} in family {enrolment.family} at {outcome.identity.server_url}")
    if not outcome.is_new:
        typer.echo(f"The claim code was not used; to enrol anew, first remove {directory.identity_file}", err=True)


@app.command(cls=options.Configured, short_help="Take pictures, encode, keep and send them.")
@options.spread(options.RunOptions)
def run(chosen: options.RunOptions) -> None:
    """Take pictures, encode, spool and upload them, and pick up new tables on the way.

    A device that has no tables yet asks for its assignment, and takes no picture before it has them. From then on
    nothing waits for an update. SIGTERM and SIGINT end the program in order; SIGKILL or a power cut lose no spooled
    frame.
    """
    is_pipe = chosen.source in PIPES
    if chosen.exit_when_drained and chosen.loop and not is_pipe and chosen.count is None:
        raise typer.BadParameter("a looping source never drains; add --once or --count")
    if chosen.exit_when_drained and chosen.watch and chosen.count is None:
        raise typer.BadParameter("a watched folder never drains; add --count, or leave --watch out")
    logs.configure(chosen.log_level, chosen.log_file)
    around, manager = _watched_surroundings()
    if chosen.dry_run:
        rehearsed(chosen, around, _when_stopped, is_looping=chosen.loop, waits=True)
        return
    settings = run_settings(
        chosen, around, is_looping=chosen.loop, ends_when_drained=chosen.exit_when_drained, poll_seconds=chosen.poll
    )
    _when_stopped(sys.exit)  # nothing is under way yet, and a full disk may hold the start up for long
    with put_together(settings, around) as parts, told_metrics(parts, around, chosen) as watch_metrics:
        _when_stopped(parts.signals.request_stop)
        ends = [end for end in (chosen.count, settings.camera.shot_count) if end is not None]
        with _progress(parts.spool, min(ends, default=None)) as watch_progress:
            manager.ready()
            sensor_of(parts, around).run(lambda: _each(manager.watch, watch_progress, watch_metrics))
            manager.stopping()


@app.command(cls=options.Configured, short_help="Wake up: take a picture, send what waits, update, and end.")
@options.spread(options.OnceOptions)
def once(chosen: options.OnceOptions) -> None:
    """Take one picture, or --count of them, send what waits, update and report where that is due, and end.

    For cameras that sleep in between. What could not be sent within --deadline stays on disk for the next time (exit
    code 7). Where the camera gives no picture, or there are no tables yet, what waits is sent all the same (exit
    code 6).
    """
    logs.configure(chosen.log_level, chosen.log_file)
    around = _surroundings()
    chosen = replace(chosen, count=chosen.count or 1)
    if chosen.dry_run:
        rehearsed(chosen, around, _when_stopped, is_looping=False, waits=False)
        return
    settings = run_settings(
        chosen,
        around,
        is_looping=False,
        ends_when_drained=True,
        poll_seconds=chosen.deadline,
        waits=False,
    )
    _when_stopped(sys.exit)
    soon_seconds = chosen.deadline - min(GRACE_SECONDS, chosen.deadline / 4)
    with (
        after(chosen.deadline, partial(cut_short, EXIT_KEPT)),
        put_together(settings, around) as parts,
        after(soon_seconds, parts.signals.request_stop),
    ):
        _when_stopped(parts.signals.request_stop)
        duties = DutiesFile(settings.state.path / "duties.json")
        outcome = wake(parts, around.clock, duties, pictures_seconds=chosen.deadline / 2)
    if outcome.fault is not None:
        raise outcome.fault
    if outcome.frames_left:
        raise typer.Exit(EXIT_KEPT)


@app.command(
    "config", cls=options.ConfiguredWithoutSource, short_help="Print the settings in effect, and where each comes from."
)
@options.spread(options.EverySetting)
def show_config(ctx: typer.Context, chosen: options.EverySetting) -> None:
    """Print the settings that `run` would have here, and where each comes from; the output is a configuration file.

    The command line stands before the environment, this before the file, and the file before the default.
    """
    for name, origin in options.origins(ctx).items():
        value = getattr(chosen, name)
        if name == "source" and value:
            value = value.partition("?")[0]  # a camera's address may end with its password
        typer.echo(f"{as_text(name, value)}  # {origin.words}")


@app.command(short_help="Encode pictures here, and print what they cost.")
def encode(
    images: options.Images,
    bundle: options.BundleFile = None,
    quality: options.Quality = None,
    out: options.Out = None,
    stream: options.StreamKind = options.SentStream.ABBREVIATED,
    transcode: options.Transcode = True,
) -> None:
    """Encode pictures here, without a server, and print what they cost in bytes.

    Give --bundle or --quality. With --out, abbreviated frames become NAME.dwj, their tables ID.tables.jpg once;
    interchange streams become NAME.jpg.
    """
    from sensor_client.offline import OfflineSettings, encode_pictures  # noqa: PLC0415 - a camera that runs needs none of it

    if bundle is not None and quality is None:
        settings = OfflineSettings.of_bundle(Bundle.from_bytes(bundle.read_bytes()), transcodes=transcode)
    elif quality is not None and bundle is None:
        settings = OfflineSettings.of_quality(quality, transcodes=transcode)
    else:
        raise typer.BadParameter("give either --bundle or --quality")
    pictures = encode_pictures(images, settings, Stream(stream), out)
    from sensor_client import report  # noqa: PLC0415 - as in _progress

    report.print_encoded(pictures, len(images), settings.encoding.tables, Stream(stream))


@app.command(short_help="Print the state of the device.")
def status(state: options.State, json: options.AsJson = False) -> None:
    """Print the state of the device: identity, tables, what waits, what was sent. Works beside `run`.

    What is damaged is told among the faults; with --json there is one JSON document on stdout, whatever is damaged.
    """
    from sensor_client.status import read_status  # noqa: PLC0415 - a camera that runs needs none of it

    logs.configure(options.LogLevel.ERROR)
    answer = read_status(StateDirectory(state))
    if json:
        typer.echo(answer.model_dump_json(ensure_ascii=True))
    else:
        from sensor_client import report  # noqa: PLC0415 - as in _progress

        report.print_status(answer)


@app.command("selftest", cls=options.Configured, short_help="Try encoder, spool and camera.")
@options.spread(options.ExaminationOptions)
def try_device(chosen: options.ExaminationOptions) -> None:
    """Try whether this device can encode as its tables promise, take a picture and keep a frame on disk.

    Nothing is changed, and `run` may work meanwhile. Exit code 1: something is bad.
    """
    from sensor_client import selftest  # noqa: PLC0415 - a camera that runs needs none of it

    logs.configure(options.LogLevel.ERROR)
    around, state = _surroundings(), StateDirectory(chosen.state)
    _show(
        selftest.try_out(state, None if chosen.source is None else partial(trial_camera, chosen.source, around)), chosen
    )


@app.command("doctor", cls=options.Configured, short_help="Examine this device, and say what to do.")
@options.spread(options.ExaminationOptions)
def examine_device(chosen: options.ExaminationOptions) -> None:
    """Examine disk, identity, clock, proxy, server, token, tables, spool and source, and say what to do.

    Nothing is changed, and `run` may work meanwhile. Exit code 1: something is bad.
    """
    from sensor_client import doctor  # noqa: PLC0415 - a camera that runs needs none of it

    logs.configure(options.LogLevel.ERROR)
    around = _surroundings()
    patient = doctor.Patient(
        state=StateDirectory(chosen.state),
        clock=around.clock,
        environment=around.environment,
        look_at_source=None if chosen.source is None else partial(look_at_source, chosen.source, around),
    )
    _show(doctor.examine(patient), chosen)


def _show(findings: Iterable[Finding], chosen: options.ExaminationOptions) -> None:
    found = []
    for finding in findings:
        found.append(finding)
        if not chosen.json:
            typer.echo("\n".join(lines([finding])))
    if chosen.json:
        typer.echo(json.dumps(as_json(found)))
    if not is_well(found):
        raise typer.Exit(1)


def _each(*watches: Callable[[], None]) -> None:
    for watch in watches:
        watch()


def _watched_surroundings() -> tuple[Surroundings, ServiceManager]:
    """This machine, and who is told whether threads that live in it are at work."""
    clock = SystemClock()
    pulse = Pulse(clock.monotonic_seconds)
    manager = ServiceManager(os.environ, os.getpid(), pulse, (CAPTURE, UPLOAD), clock.monotonic_seconds)
    return replace(_surroundings(), clock=WatchedClock(clock, pulse), stop=WatchedStop(pulse)), manager


def _surroundings() -> Surroundings:
    return Surroundings(
        clock=SystemClock(),
        random=random.SystemRandom().random,
        environment=os.environ,
        program=version("dctwire"),
        boot=secrets.token_hex(8),
    )


def _when_stopped(act: Callable[[], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: act())


@contextmanager
def _progress(spool: Spool, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a progress bar of frames answered, where a person watches and the end is known."""
    if total is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from sensor_client.progress import shown_progress  # noqa: PLC0415 - rich weighs 3 MiB, and nobody watches a camera

    with shown_progress(spool, total) as watch:
        yield watch


def _check_root(line: HttpLine, root: bytes) -> None:
    """Refuse a `root` that is not what this server publishes: no bundle would ever be believed."""
    try:
        published = b"".join(device_channel.fetch_before_enrolling(line, trust.root_file_of(root)))
        fault = "" if published == root else "its root is another one"
    except (TrustError, NotPublishedError) as error:
        fault = str(error)
    except ChannelError:
        return  # enrolling meets the same fault, and reports it better
    if fault:
        raise typer.BadParameter(
            f"it does not verify what {line.url} publishes ({fault}). Take root.json from the folder that dctwire "
            "trust init made for this server",
            param_hint="--root",
        )


def _line(server_url: str, clock: SystemClock, authorities: str | None) -> HttpLine:
    try:
        return HttpLine(server_url, clock, os.environ, authorities)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--server") from error
    except ProxyError as error:
        raise typer.BadParameter(str(error), param_hint=error.variable) from error


def _exit(error: Exception) -> NoReturn:
    typer.echo(escaped_lines(f"dctwire-sensor: {error}"), err=True)
    code = next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
    raise SystemExit(code)
