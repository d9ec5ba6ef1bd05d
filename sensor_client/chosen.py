"""What was chosen on the command line, in the environment and in the file, as the parts of a sensor take it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import typer

from sensor_client import metrics, options
from sensor_client.budget import Budget
from sensor_client.capture import CaptureSettings
from sensor_client.findings import Finding, guarded, ok
from sensor_client.metrics import MetricsFile, MetricsPort
from sensor_client.parts import Parts, RunSettings, Surroundings
from sensor_client.policies import CaptureOrders, OnChange
from sensor_client.remote_settings import RemoteLimits
from sensor_client.signals import Signals
from sensor_client.sources import (
    Camera,
    SourceHealth,
    SourceSettings,
    SourceSurroundings,
    UnknownSourceError,
    open_source,
)
from sensor_client.spool import SpoolLimits
from sensor_client.state_directory import StateDirectory
from sensor_client.upload_orders import METERED_POLL_SECONDS, UploadOrders
from sensor_client.uploader import UploadSettings
from shared.jpeg import Stream


def run_settings(
    chosen: options.CameraOptions,
    around: Surroundings,
    *,
    is_looping: bool,
    ends_when_drained: bool,
    poll_seconds: float,
    waits: bool = True,
    memory: Path | None = None,
) -> RunSettings:
    """What the parts are to do.

    Args:
        memory: for what sources remember, instead of the state directory's.
        waits: whether the end of quiet hours, or a new picture in a watched folder, is waited for; otherwise none is
            taken, and that is in order.

    Raises:
        typer.BadParameter: the choices do not go together, or no kind of source has such an address.
        SourceError: there is nothing to take pictures from.
    """
    state = StateDirectory(chosen.state)
    source = SourceSurroundings(
        clock=around.clock,
        random=around.random,
        health=SourceHealth(around.clock),
        memory=memory or state.source_memory,
    )
    return RunSettings(
        state=state,
        camera=_camera(
            chosen.source,
            _source_settings(chosen, is_looping=is_looping, waits=waits, may_end=ends_when_drained),
            source,
        ),
        source_health=source.health,
        capture=CaptureSettings(
            stream=Stream(chosen.stream),
            count=chosen.count,
            keeps_labels=chosen.send_labels,
            transcodes=chosen.transcode,
            waits_for_hours=waits,
        ),
        orders=_capture_orders(chosen),
        upload=UploadSettings(
            orders=_upload_orders(chosen),
            ends_when_drained=ends_when_drained,
        ),
        limits=SpoolLimits(
            frame_bytes=chosen.spool_bytes,
            frames=chosen.spool_frames,
            age_seconds=None if chosen.spool_days is None else chosen.spool_days * 86400,
        ),
        wants_results=chosen.show_results,
        makes_probes=chosen.probes and not chosen.metered,
        poll_seconds=max(poll_seconds, METERED_POLL_SECONDS) if chosen.metered else poll_seconds,
        remote=_remote_limits(chosen),
        configuration={field.name: str(getattr(chosen, field.name)) for field in fields(chosen)},
    )


def _remote_limits(chosen: options.CameraOptions) -> RemoteLimits:
    return RemoteLimits(
        is_allowed=chosen.remote,
        frames_per_second=chosen.remote_rate_max,
        picture_share=chosen.remote_share_max,
        detail_share=chosen.remote_details_max,
        hour_bytes=chosen.remote_budget_hour_max,
        day_bytes=chosen.remote_budget_day_max,
        month_bytes=chosen.remote_budget_month_max,
        may_set_region=chosen.remote_region,
    )


def _source_settings(chosen: options.CameraOptions, *, is_looping: bool, waits: bool, may_end: bool) -> SourceSettings:
    if chosen.delete_taken and not chosen.watch:
        raise typer.BadParameter("pictures are deleted from a watched folder alone: add --watch, or leave it out")
    return SourceSettings(
        is_looping=is_looping,
        waits=waits,
        may_end=may_end,
        is_watched=chosen.watch,
        deletes_taken=chosen.delete_taken,
        keeps_newest=chosen.newest,
        login=chosen.source_login,
        authorities=chosen.source_ca,
    )


def _camera(address: str, settings: SourceSettings, around: SourceSurroundings) -> Camera:
    try:
        return open_source(address, settings, around)
    except UnknownSourceError as error:
        raise typer.BadParameter(str(error), param_hint="--source") from error


def _capture_orders(chosen: options.CaptureOptions) -> CaptureOrders:
    on_change = None if chosen.on_change is None else OnChange(chosen.on_change, chosen.keep_alive)
    return CaptureOrders(
        frames_per_second=chosen.rate,
        sampling_share=chosen.sample,
        on_change=on_change,
        active=chosen.active,
        region=chosen.region,
        rare_labels=frozenset(chosen.rare_labels.split(",")) if chosen.rare_labels else frozenset(),
        detail_share=chosen.details,
        detail_bytes_per_hour=chosen.details_hour,
        detail_quality=chosen.details_quality,
    )


def _upload_orders(chosen: options.UploadOptions) -> UploadOrders:
    budget = Budget(
        hour_bytes=chosen.budget_hour,
        day_bytes=chosen.budget_day,
        month_bytes=chosen.budget_month,
        is_hard=chosen.budget_hard,
    )
    return UploadOrders(batch=chosen.batch, linger_seconds=chosen.linger, budget=budget, is_metered=chosen.metered)


@contextmanager
def told_metrics(parts: Parts, around: Surroundings, chosen: options.ProgramOptions) -> Iterator[Callable[[], None]]:
    """Tell Prometheus where that is wanted; yields what is to be called now and then."""
    read = partial(page_of, parts, around.program)
    if chosen.metrics_port is not None:
        try:
            port = MetricsPort(chosen.metrics_host, chosen.metrics_port, read)
        except OSError as error:
            raise OSError(
                f"metrics cannot be told at port {chosen.metrics_port} of {chosen.metrics_host} "
                f"({error.strerror or error}): give --metrics-host an address of this machine, such as 127.0.0.1 or "
                "::1, and --metrics-port a port that nobody else has"
            ) from error
        port.start()
    try:
        file = chosen.metrics_file
        yield (lambda: None) if file is None else MetricsFile(file, read, around.clock.monotonic_seconds).watch
    finally:
        if chosen.metrics_port is not None:
            port.close()


def rehearsed(
    chosen: options.CameraOptions,
    around: Surroundings,
    when_stopped: Callable[[Callable[[], object]], None],
    *,
    is_looping: bool,
    waits: bool,
) -> None:
    """What would be sent, on standard output, until the pictures end or a stop is asked for."""
    from sensor_client.rehearsal import rehearse  # noqa: PLC0415 - a camera that runs needs none of it

    signals = Signals(0, around.stop)
    when_stopped(signals.request_stop)
    with tempfile.TemporaryDirectory() as memory:
        remembered = StateDirectory(chosen.state).source_memory
        if remembered.is_dir():
            shutil.copytree(remembered, memory, dirs_exist_ok=True)
        settings = run_settings(
            replace(chosen, delete_taken=False),
            around,
            is_looping=is_looping,
            ends_when_drained=True,
            poll_seconds=60.0,
            waits=waits,
            memory=Path(memory),
        )
        rehearse(settings, around, typer.echo, signals)


def page_of(parts: Parts, program: str) -> str:
    """What Prometheus may know of the parts at work."""
    return metrics.page(
        metrics.Facts(
            program=program,
            depth=parts.spool.depth(),
            counters=parts.spool.counters(),
            traffic=parts.ledger.traffic(),
            source=parts.source_health.report,
            encode_seconds=parts.times.median_seconds(),
            restarts=dict(parts.signals.restarts),
        )
    )


def trial_camera(address: str, around: Surroundings) -> Camera:
    """The camera at an address, to be tried once: whatever it remembers of it is thrown away.

    Raises:
        UnknownSourceError, SourceError: as `open_source`.
    """
    with tempfile.TemporaryDirectory() as memory:
        source = SourceSurroundings(
            clock=around.clock, random=around.random, health=SourceHealth(around.clock), memory=Path(memory)
        )
        return open_source(address, SourceSettings(is_looping=False), source)


def look_at_source(address: str, around: Surroundings) -> Finding:
    """Whether the source is there; no picture is taken, since `run` may have the camera open."""

    def look() -> Finding:
        trial_camera(address, around)
        return ok("source", f"{address.partition('?')[0]} can be opened")  # a query may hold a password

    return guarded("source", look, "See whether it is there and may be read; dctwire-sensor selftest takes a picture")
