"""Half an hour of everything at once against one server process: does its memory stay flat, and does nothing fail?

Cameras post single frames, batches and frames sent before; labels arrive; damaged frames, cut bodies and strangers come
in between; bundles are published, good ones and broken ones; Prometheus scrapes. Memory is the server's resident set,
read every second (`benchmarks.leaks`).

The positive control is the same load on a server that keeps 1 KiB a request (`benchmarks.leaky_server`), for a third
of the time: the same rule must find that.

    make bench NAME=soak
    python -m benchmarks.soak --minutes 3        # a quick look; nothing is recorded
"""

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import Progress

from benchmarks import record
from benchmarks.leaks import (
    Reading,
    growth_bytes_a_request,
    growth_mebibytes,
    resident_mebibytes,
    slope_mebibytes_per_hour,
)
from benchmarks.soak_actors import actors
from benchmarks.soak_harness import Soak
from cloud_server.cli.publishing import initialise_trust
from harness.processes import Running

MINUTES = 30.0
CONTROL_SHARE = 1 / 3
START_SECONDS = 60.0
SERVER = "import sys; from {module} import main; sys.argv[0] = 'dctwire-server'; main()"
# Bounds that fill within the warm-up, so that what still grows afterwards is a leak.
SMALL_BOUNDS: dict[str, str] = {
    "DCTWIRE_SERVER_RECENT_FRAMES_MAX_BYTES": str(2 << 20),
    "DCTWIRE_SERVER_MODEL_MEMORY_BYTES": str(64 << 20),
}


def main() -> int:
    """Soak, then the control; record unless it was only a look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the soak; the control takes a third")
    minutes: float = parser.parse_args().minutes
    flat = soak("cloud_server.command", minutes)
    leaking = soak("benchmarks.leaky_server", minutes * CONTROL_SHARE)
    figures = {
        **{f"server_{name}": value for name, value in flat.items()},
        **{f"control_{name}": value for name, value in leaking.items()},
    }
    print(json.dumps(figures, indent=2))
    if minutes >= MINUTES:
        record.write("soak", int(flat["requests"]), figures)
    return 0


def soak(module: str, minutes: float) -> dict[str, float]:
    """Run a server's `main` under the load; what was counted and measured."""
    with tempfile.TemporaryDirectory() as folder:
        data, keys = Path(folder) / "data", Path(folder) / "keys"
        initialise_trust(keys, data, datetime.now(UTC))
        command = ("python", "-c", SERVER.format(module=module), "run", "--data", str(data), *_free_ports())
        with Running(command, Path(folder) / "server.log", SMALL_BOUNDS) as server:
            addresses = server.wait_for(lambda: _addresses(data), START_SECONDS, "ready server")
            admin_token = (data / "admin-token").read_text().strip()
            with Soak(addresses, admin_token, keys, Path(folder)) as soak:
                readings = _load(soak, server.pid, minutes * 60)
            counts = soak.counts()
            ended_with = server.stop()
    if ended_with:
        raise SystemExit(f"the server ended with {ended_with}")
    return {
        "minutes": minutes,
        "rss_start_mib": readings[0].mebibytes,
        "rss_end_mib": readings[-1].mebibytes,
        "rss_growth_mib": growth_mebibytes(readings),
        "rss_growth_bytes_a_request": growth_bytes_a_request(readings, int(counts["requests"])),
        "rss_slope_mib_per_hour": slope_mebibytes_per_hour(readings),
        **counts,
    }


def _load(soak: Soak, pid: int, seconds: float) -> list[Reading]:
    """Let every actor act until the time is over, and read the server's memory meanwhile."""
    readings = []
    started = time.monotonic()
    with Progress(transient=True) as progress, soak.running(actors(soak)):
        task = progress.add_task("soaking", total=seconds)
        while (elapsed := time.monotonic() - started) < seconds:
            readings.append(Reading(elapsed, resident_mebibytes(pid)))
            progress.update(task, completed=elapsed)
            time.sleep(1)
    return readings


def _free_ports() -> tuple[str, ...]:
    return ("--device-host", "127.0.0.1", "--device-port", "0", "--operator-port", "0", "--ops-port", "0")


def _addresses(data: Path) -> Any:
    path = data / "addresses.json"
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
