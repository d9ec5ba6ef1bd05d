"""`dctwire-trainer service`: the trainer as a service, which retrains families when there is a reason."""

import hashlib
import platform
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from trainer.cli.program import Program
from trainer.service.configuration import ConfigurationError, ServiceSettings, example, read_settings, require_files
from trainer.service.job import Surroundings
from trainer.service.job_state import Outcome
from trainer.service.journal import Journal
from trainer.service.loop import Service
from trainer.service.operator_program import OperatorProgram
from trainer.service.record import Record

EXIT_FAILED = 1
CONFIGURATION = Path("service.toml")


def service(
    context: typer.Context,
    configuration: Annotated[
        Path, typer.Option("--config", help="What the service is told; see --print-example.", metavar="FILE")
    ] = CONFIGURATION,
    once: Annotated[
        bool, typer.Option("--once", help="Look at every family once, train where there is a reason, and end.")
    ] = False,
    print_example: Annotated[
        bool, typer.Option("--print-example", help="Print a service.toml with every key and what it means, and end.")
    ] = False,
) -> None:
    """Look at families again and again; retrain, compare, judge and publish where there is a reason.

    [bold]Reasons:[/] a schedule, new labels, drift, an estimate that labels contradict, and dctwire runs ask FAMILY.

    [bold]To begin:[/] dctwire-trainer service --print-example > service.toml

    [bold]Stopped, killed, out of power:[/] the next start goes on. SIGTERM ends it within seconds.

    Exit status with --once: 1 where a training failed.
    """
    if print_example:
        print(example(), end="")
        return
    program, settings = Program.of(context), read_settings(configuration)
    require_files(settings)
    stopping = _stopped_by_signals()
    as_json = not sys.stderr.isatty()
    journal = Journal(_write if as_json else program.terminal.say, program.now, as_json=as_json)
    around = Surroundings(
        settings=settings,
        program=OperatorProgram(
            program=_program_of(settings),
            server=settings.server,
            token_file=settings.token_file,
            insecure=settings.insecure,
            is_stopped=stopping.is_set,
        ),
        now=lambda: program.now().timestamp(),
        monotonic=time.monotonic,
        is_stopped=stopping.is_set,
        pause=lambda seconds: _pause(stopping, seconds),
        say=journal.say,
    )
    worker = settings.worker or worker_name(platform.node(), settings.data.resolve())
    journal.say("begins", worker=worker, server=settings.server, families=[*settings.families])
    ended = Service(around, Record(around.program, worker, settings.lease_seconds)).run(once=once)
    journal.say("ends", trainings=len(ended))
    if once and any(job.ended is not None and job.ended.outcome is Outcome.FAILED for job in ended):
        raise typer.Exit(EXIT_FAILED)


def worker_name(machine: str, data: Path) -> str:
    """What the server calls a service that was given no name: the same after each start, another one elsewhere."""
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in machine)
    place = hashlib.sha256(f"{machine}\0{data}".encode()).hexdigest()[:8]
    return f"{plain.lower().strip('._-')[:48] or 'trainer'}-{place}"


def _stopped_by_signals() -> threading.Event:
    """Set by SIGTERM and by Ctrl-C."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping


def _pause(stopping: threading.Event, seconds: float) -> None:
    stopping.wait(seconds)


def _program_of(settings: ServiceSettings) -> str:
    """Where `dctwire` is: as the settings say, beside this program, or on the PATH.

    Raises:
        ConfigurationError: nowhere.
    """
    beside = Path(sys.executable).with_name("dctwire")
    if settings.program is not None:
        return str(settings.program)
    found = str(beside) if beside.exists() else shutil.which("dctwire")
    if found is None:
        raise ConfigurationError("the program dctwire is not installed here; say where it is with `program`")
    return found


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
