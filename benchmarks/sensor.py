"""What the sensor costs its board: memory, start, processor a frame, and bytes and processor beside curl and libjpeg.

    make bench NAME=sensor

A camera of 640x480 and a bundle of 224x224 with an ordinary camera's tables; a real server on a core of its own, the
real program on another.

- `rss_mib_*`: of `run`, which sends 1,500 pictures by HTTP, most from its 1,000th on; `rss_peak_mib_*` most ever. In
  requests of one frame (`single`) and of 16 (`batch16`), as the systemd unit starts it (MALLOC_ARENA_MAX=1) with the
  extra [sensor] alone, and of one frame with [http2] beside it (`http2`), which has no bar.
- `start_seconds`: from the process's start to the spool's first row, with tables on disk; median of 10.
- `cpu_us_*`, `cpu_vs_*`, `spool_ms_*`, `fsync_ms`: see `sensor_cpu`.
- `wire_bytes_*`, `cpu_ms_*`: see `sensor_vs_curl`.

n counts the frames and rounds behind all of it. Needs cjpeg (Debian: libjpeg-turbo-progs) and curl. Exit status 1: a
bar is missed.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import record, sensor_cpu, sensor_program, sensor_vs_curl
from benchmarks.pinned_server import PinnedServer
from benchmarks.sensor_scene import (
    FAMILY,
    QUALITY,
    SENSOR_CORE,
    SERVER_CORE,
    SIDE,
    camera_pictures,
    standard_bundle,
    write_files,
)
from shared.bundle import BUNDLE_NAME, Bundle
from shared.pictures import fitted

BARS: Final = {
    "rss_mib_single": 62.0,
    "rss_mib_batch16": 62.0,
    "start_seconds": 0.7,
    "cpu_vs_pillow_memory": 1.5,
    "cpu_vs_pillow_disk": 1.5,
}
PICTURES: Final = 32


def main() -> int:
    """Measure everything, record, compare with the bars."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = Bundle.from_bytes((standard_bundle(folder / "bundle") / BUNDLE_NAME).read_bytes())
        pictures = camera_pictures(PICTURES)
        figures = of_program(folder, bundle)
        os.sched_setaffinity(0, {SENSOR_CORE})
        costs, rounds = sensor_cpu.costs(bundle, pictures)
    figures |= costs
    n = rounds + 3 * sensor_program.FRAMES + 4 * sensor_vs_curl.FRAMES
    record.write("sensor", n, figures, f"standard tables of quality {QUALITY}")
    missed = {name: figures[name] for name, bar in BARS.items() if figures[name] > bar}
    print("\n".join(f"{name}: {value:.2f}, and at most {BARS[name]:.1f} was wanted" for name, value in missed.items()))
    return 1 if missed else 0


def of_program(folder: Path, bundle: Bundle) -> dict[str, float]:
    """What needs a server and the real program."""
    pictures = camera_pictures(PICTURES)
    files = write_files(folder / "camera-pictures", pictures, "jpg")
    ready = [fitted(picture, bundle.tables.sampling, (SIDE, SIDE), bundle.fit) for picture in pictures]
    small = write_files(folder / "small-pictures", ready, "ppm")
    with PinnedServer(SERVER_CORE) as server:
        server.publish(folder / "bundle")
        server.assign(FAMILY, bundle.counter)
        figures = sensor_program.starts(folder / "starts", server, files)
        for name, batch, has_http2 in (("single", 1, False), ("batch16", 16, False), ("http2", 1, True)):
            figures |= sensor_program.memory(name, folder / name, server, files, batch, has_http2=has_http2)
        return figures | sensor_vs_curl.beside(folder, server, small)


if __name__ == "__main__":
    sys.exit(main())
