"""The real `dctwire-sensor run` as a process: how much memory it holds, and how soon its first frame is safe."""

import statistics
import time
from pathlib import Path
from typing import Final

from benchmarks.pinned_server import PinnedServer
from benchmarks.sensor_scene import Camera, as_the_unit_starts_it, resident_mib

FRAMES: Final = 1_500
SETTLED_FRAMES: Final = 1_000
FRAMES_A_SECOND: Final = 50
STARTS: Final = 10
LOOK_SECONDS: Final = 0.05
POLL_SECONDS: Final = 0.002
START_LIMIT_SECONDS: Final = 30.0


def memory(
    name: str, folder: Path, server: PinnedServer, source: Path, batch: int, *, has_http2: bool = False
) -> dict[str, float]:
    """MiB of a camera that sends 50 pictures a second: most from its 1,000th frame on, and most ever."""
    variables = as_the_unit_starts_it(folder.with_name(f"{folder.name}-hidden"), has_http2=has_http2)
    camera = Camera(folder, server, variables=variables)
    how = ("--count", FRAMES, "--rate", FRAMES_A_SECOND, "--batch", batch, "--exit-when-drained")
    process = camera.start(source, *how)
    settled = peak = 0.0
    while process.poll() is None:
        try:
            now, peak = resident_mib(process.pid), resident_mib(process.pid, "VmHWM")
        except (AssertionError, OSError):  # it is ending
            break
        if camera.encoded() >= SETTLED_FRAMES:
            settled = max(settled, now)
        time.sleep(LOOK_SECONDS)
    counters = camera.counters()
    if process.wait() != 0 or counters["acknowledged"] != FRAMES:
        raise RuntimeError(f"the camera did not deliver: {counters}")
    return {f"rss_mib_{name}": settled, f"rss_peak_mib_{name}": peak}


def starts(folder: Path, server: PinnedServer, source: Path) -> dict[str, float]:
    """Seconds from the process's start to the spool's first row, of a camera that has its tables already."""
    camera = Camera(folder, server)
    camera.send(source, "--count", 2)
    seconds = [_seconds_to_first_frame(camera, source) for _ in range(STARTS)]
    return {
        "start_seconds": statistics.median(seconds),
        "start_seconds_least": min(seconds),
        "start_seconds_most": max(seconds),
    }


def _seconds_to_first_frame(camera: Camera, source: Path) -> float:
    before = camera.encoded()
    started = time.perf_counter()
    process = camera.start(source, "--count", 1, "--exit-when-drained")
    while camera.encoded() == before:
        if time.perf_counter() > started + START_LIMIT_SECONDS:
            process.kill()
            raise RuntimeError("no first frame")
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - started
    if process.wait() != 0:
        raise RuntimeError("the camera failed")
    return seconds
