"""Ten thousand cameras and one server: a reboot of all at once, a rollout to all, and one that is stopped.

    make bench NAME=fleet                          # some twelve minutes on two quiet cores
    python -m benchmarks.fleet --devices 200       # a quick try, which records nothing

The server is one process on one core, with the settings that it has by itself. The cameras are a program on the other
core: real HTTP over loopback, each from an address of its own (`fleet_cameras`). 2 % of them lie in labels and in
heartbeats, so that the good bundle is stopped and the bad one let through. The server's own engine leads the rollouts,
by the stages 1, 5, 25 and 100 %, with looks every half minute instead of every few hours; some cameras fetch and verify
the bundle by the sensor's code.

- `assignment_seconds`: after a reboot of all cameras in one moment, until the last one has its assignment;
  `server_errors`: answers from 500 on in the whole run, but 503 with Retry-After.
- `rollout_seconds`: of a bundle that saves bytes, from its start to its release to everybody; `confirmed_percent`.
- `bad_bundle_exposed_percent`: how many cameras were ever told to run a bundle that costs 30 % more bytes, until it was
  rolled back; `bad_bundle_stopped_seconds`.
- `look_ms`: processor time of one look at that fleet's rollout, gates and all; the median of several.
- `frame_us_with_rollout`, `frame_us_without`: server's processor time a frame while a rollout exposes half of the
  cameras, and while there is none, in turns.
- `update_bytes`, `idle_check_bytes_each_way`: as `update_bytes` measures them, with one family and one version.
- `good_bundle_stopped_percent`: of 500 rollouts as `rollout_gates` makes them up. n counts the cameras.

Exit status 1: a bar is missed.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks import fleet_report, record, rollout_gates, update_bytes
from benchmarks.fleet_cameras import Cameras, Stock, fleet_of
from benchmarks.fleet_frames import frame_us
from benchmarks.fleet_look import look_ms
from benchmarks.fleet_rollouts import Followed, follow, plan_for
from benchmarks.fleet_server import BAD, GOOD, SERVER_CORE, FleetServer
from benchmarks.fleet_updates import Updating
from benchmarks.rollout_fleet import Lie

DEVICES, LIARS, UPDATING = 10_000, 0.02, 20
BARS = {
    "assignment_seconds": 60.0,
    "server_errors": 0.0,
    "bad_bundle_exposed_percent": 5.0,
    "good_bundle_stopped_percent": 1.0,
    "look_ms": 200.0,
}
MUST_BE = ("rollout_complete", "bad_bundle_stopped")
Figures = dict[str, float]


@dataclass(frozen=True)
class Scale:
    """How large a run is.

    Args:
        call_every_seconds, look_seconds: from one call of a camera to its next, from one look at a rollout to the next.
        load_seconds, turns: how long frames come in each turn in which their cost is measured, and how many there are.
        rollouts: how many made-up ones of a good bundle there are.
    """

    devices: int
    call_every_seconds: float
    look_seconds: float
    load_seconds: float
    turns: int
    rollouts: int


WHOLE = Scale(
    DEVICES, call_every_seconds=40.0, look_seconds=30.0, load_seconds=5.0, turns=6, rollouts=rollout_gates.ROLLOUTS
)


@dataclass(frozen=True)
class Run:
    """What a run brought: its figures, and how the two rollouts went."""

    figures: Figures
    good: Followed
    bad: Followed


def main() -> int:
    """Measure, record, draw; a quick try is printed only."""
    parser = argparse.ArgumentParser(description="A fleet and its rollouts, measured.")
    parser.add_argument("--devices", type=int, default=DEVICES, help="how many cameras; fewer than usual: a quick try")
    devices = parser.parse_args().devices
    run = measured(WHOLE if devices == DEVICES else quick(devices))
    if devices == DEVICES:
        record.write("fleet", devices, run.figures)
        fleet_report.draw(run.good, run.bad)
    for name, value in run.figures.items():
        print(f"{name:32} {value:12.4g}" + (f"   at most {BARS[name]:g}" if name in BARS else ""))
    missed = [name for name, bar in BARS.items() if run.figures[name] > bar]
    missed += [name for name in MUST_BE if not run.figures[name]]
    print(f"missed: {', '.join(missed)}" if missed else "every bar is kept")
    return 1 if missed else 0


def quick(devices: int) -> Scale:
    """A run of a minute or two."""
    return Scale(devices, call_every_seconds=4.0, look_seconds=6.0, load_seconds=0.5, turns=1, rollouts=4)


def measured(scale: Scale) -> Run:
    """All parts, one after the other."""
    run = on_one_server(scale)
    say("the bytes of an update")
    paid = update_bytes.measure(1, 1)
    figures = {
        "update_bytes": paid["update"],
        "idle_check_bytes_each_way": max(paid["check_sent"], paid["check_received"]),
    }
    say(f"{scale.rollouts} made-up rollouts of a good bundle, with each kind of liars")
    return replace(run, figures=run.figures | figures | made_up(scale.rollouts))


def on_one_server(scale: Scale) -> Run:
    """What is measured of the fleet and its server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        say(f"enrolling {scale.devices} cameras, publishing three bundles")
        server = stack.enter_context(FleetServer(folder, scale.devices))
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores - {SERVER_CORE} or cores)
        stack.callback(os.sched_setaffinity, 0, cores)
        cameras = cameras_of(server, scale, stack.enter_context(Updating(server, folder / "updates")))
        figures, good, bad = asyncio.run(rollouts(server, cameras, scale))
        say("a look at the devices of a rollout")
        figures |= look_ms(server.running.data, GOOD)
        say("a frame with a rollout and without")
        figures |= frame_us(server, scale.load_seconds, scale.turns)
    return Run(figures, good, bad)


def cameras_of(server: FleetServer, scale: Scale, updating: Updating) -> Cameras:
    """The fleet, of which some update by the sensor's code."""
    rng = random.Random(1)
    every = fleet_of(server.enrolled, LIARS, rng)
    for camera in every[:: max(1, len(every) // UPDATING)]:
        updating.equip(camera)
    stocks = {counter: Stock(bundle, server.pictures) for counter, bundle in server.bundles.items()}
    return Cameras(server.running.device_address, every, stocks, scale.call_every_seconds, rng)


async def rollouts(server: FleetServer, cameras: Cameras, scale: Scale) -> tuple[Figures, Followed, Followed]:
    """A reboot, a rollout to all, and one that is stopped."""
    say("all cameras begin at once")
    waits, plan = await cameras.reboot(), plan_for(scale.devices, scale.look_seconds)
    say(f"the last has its assignment after {max(waits):.1f} s; {cameras.heard.told_to_wait} were told to wait")
    figures = {
        "devices": scale.devices,
        "assignment_seconds": max(waits),
        "assignment_seconds_median": statistics.median(waits),
        "told_to_wait": cameras.heard.told_to_wait,
    }
    async with asyncio.TaskGroup() as group:  # what goes wrong with a camera ends it
        living = group.create_task(cameras.live())
        cameras.lie, cameras.lie_about = Lie.STOP, GOOD
        good = await follow(server, cameras, GOOD, plan, say)
        cameras.lie, cameras.lie_about = Lie.LET_THROUGH, BAD
        bad = await follow(server, cameras, BAD, plan, say)
        living.cancel()
    sizes = {counter: cameras.stocks[counter].mean_bytes for counter in (GOOD, BAD)}
    return (
        figures
        | {
            "rollout_seconds": good.seconds,
            "rollout_complete": good.ended == "complete",
            "confirmed_percent": 100 * good.moments[-1].confirmed,
            "bad_bundle_stopped": bad.ended == "rolled-back",
            "bad_bundle_exposed_percent": 100 * bad.ever_on,
            "bad_bundle_stopped_seconds": bad.seconds,
            "bad_bundle_bytes_factor": sizes[BAD] / sizes[GOOD],
            "server_errors": cameras.heard.server_errors,
        },
        good,
        bad,
    )


def made_up(rollouts: int) -> Figures:
    """How many rollouts of a good bundle the gates stop, where all are honest and where 2 % lie to that end."""
    with ProcessPoolExecutor(rollout_gates.AT_ONCE) as pool:
        honest, lying = pool.map(partial(rollout_gates.endings_of, "good", rollouts=rollouts), ("honest", "stop"))
    stopped = [100 * rollout_gates.told(ended)["stopped"] for ended in (honest, lying)]
    return {
        "good_bundle_stopped_percent": stopped[0],
        "good_bundle_stopped_percent_liars": stopped[1],
        "made_up_rollouts": rollouts,
    }


def say(what: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
