"""One wake-up: take pictures, send what waits, update and report where that is due, and end.

Each thing has its turn, one after another, so that a camera that sleeps between two wake-ups asks for as little as
possible: for its assignment only where an answer named another one, and for a heartbeat a few times a day.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sensor_client.clock import Clock
from sensor_client.duties import Done, Duties, DutiesFile, is_due
from sensor_client.heartbeat import PERIOD_SECONDS
from sensor_client.logs import get_logger
from sensor_client.ota import TRUST_LOOK_SECONDS
from sensor_client.parts import Parts
from sensor_client.sources import SourceError
from shared.errors import ChannelError, DctwireError

GRACE_SECONDS = 5.0
"""Between the request to stop and the end of a wake-up's deadline, where that is long enough."""
DIAGNOSTICS_SECONDS = 30.0
"""So long diagnostics that were asked for have: as one request."""
HEARTBEAT_STARTS = 100
TRUST_LOOK_STARTS = 400
"""After so many starts a duty is due whatever the clock says: without a battery it may stand still between two."""

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wake:
    """What came of a wake-up.

    Args:
        frames_left: frames that wait for the next one.
        fault: why no picture could be taken, be it for want of tables; None where all went well.
    """

    frames_left: int
    fault: DctwireError | None


def wake(parts: Parts, clock: Clock, duties_file: DutiesFile, *, pictures_seconds: float) -> Wake:
    """Work once through everything; a stop ends it early, with everything safe on disk.

    Args:
        pictures_seconds: how long the camera may take; then what waits is sent without its pictures.

    Raises:
        SpoolError: the spool cannot be read.
    """
    signals = parts.signals
    for part in parts.beside:
        threading.Thread(target=part.run, name=part.name, daemon=True).start()
    parts.updater.turn()
    fault = _take_pictures(parts, pictures_seconds)
    parts.updater.turn()  # a frame was encoded with the tables of the moment: this start is no crash of theirs
    parts.uploader.run()
    if signals.has_news:
        clock.wait(signals.stop, parts.updater.seconds_to_ask())
    if not signals.stop.is_set():
        parts.updater.turn()
        if signals.diagnostics_request is not None:
            clock.wait(signals.diagnostics_tried, DIAGNOSTICS_SECONDS)
        _do_duties(parts, clock, duties_file)
    parts.updater.end()
    signals.request_stop()
    left = parts.spool.depth().frames
    _log.info("woken", frames_left=left)
    return Wake(frames_left=left, fault=fault)


@contextmanager
def after(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Do something once the block has lasted so long."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cut_short(exit_code: int) -> None:
    """End the program, whatever hangs: nothing on disk minds."""
    _log.error("cut-short", reason="the deadline has come, and something did not end")
    os._exit(exit_code)


def _take_pictures(parts: Parts, seconds: float) -> DctwireError | None:
    if not parts.active.is_there.is_set():
        parts.signals.end_source()
        return SourceError("no picture was taken: this device has no tables yet, and the log says why")
    faults: list[DctwireError] = []

    def take() -> None:
        try:
            parts.capture.run()
        except DctwireError as error:
            faults.append(error)

    taking = threading.Thread(target=take, name="capture", daemon=True)
    taking.start()
    taking.join(seconds)
    if taking.is_alive():
        faults.append(SourceError(f"no picture came within {seconds:.0f} s: see whether the camera answers"))
        parts.signals.end_source()
    for fault in faults:
        _log.error("no-picture", reason=str(fault))
    return next(iter(faults), None)


def _do_duties(parts: Parts, clock: Clock, file: DutiesFile) -> None:
    """Follow the signed lists and tell the server of this device, each where it is due."""
    before = duties = file.load()
    now = Done(at=clock.now(), start=parts.start.boots)
    if is_due(duties.trust_look, now, every_seconds=TRUST_LOOK_SECONDS, every_starts=TRUST_LOOK_STARTS):
        duties = _looked_at_trust(parts, duties, now)
    is_told = is_due(duties.heartbeat, now, every_seconds=PERIOD_SECONDS, every_starts=HEARTBEAT_STARTS)
    if is_told or parts.outbox.waiting():
        duties = _reported(parts, duties, now)
    if duties != before:
        try:
            file.save(duties)
        except OSError as error:  # it is done once more the next time
            _log.warning("duties-not-noted", reason=str(error))


def _looked_at_trust(parts: Parts, duties: Duties, now: Done) -> Duties:
    return duties.model_copy(update={"trust_look": now}) if parts.updater.look_at_trust() else duties


def _reported(parts: Parts, duties: Duties, now: Done) -> Duties:
    try:
        parts.reporter.step()
    except (ChannelError, DctwireError) as error:
        _log.warning("report-put-off", reason=str(error))
        return duties
    return duties.model_copy(update={"heartbeat": now})
