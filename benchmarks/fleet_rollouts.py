"""Rollouts in `fleet`: their plan, and how they go, as the operator sees it and as the cameras have it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.fleet_cameras import Cameras
from benchmarks.fleet_server import FleetServer
from benchmarks.rollout_gates import COARSE, FINE
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate
from cloud_server.rollout.plan import Plan, Stage

WIDTHS = (1.0, 5.0, 25.0, 100.0)
FEWEST, FEW, MANY = 60, 90, 450
"""So many devices a stage has at least; from so many on it has the gates of a first stage, and of a later one."""
LOOKS = 10
SETTLED, SETTLED_OF_ALL = 0.5, 0.9
"""The share of a stage's devices that have to be settled; how many a stage has is up to chance, but in the last one."""
LOOKED_AT_EVERY_SECONDS = 0.5
END_SECONDS = 900.0
EXPOSING = ("stage", "soak", "paused", "complete")
WAITING = ("draft", "preflight", "stage", "soak", "rolling-back")
_BROKEN = Gate(kind=GateKind.BYTES, detects=0.4)


@dataclass(frozen=True, slots=True)
class Moment:
    """How a rollout stood.

    Args:
        seconds: since it began.
        percent: of the fleet, which may run the new bundle.
        running: the share of cameras that run the new bundle, 0 to 1.
        confirmed: the share of which the server knows that they proved it.
    """

    seconds: float
    state: str
    percent: float
    running: float
    confirmed: float


@dataclass(frozen=True)
class Followed:
    """A rollout from its start to its end.

    Args:
        ever_on: the share of cameras that were ever told to run its bundle.
        words: what gates said that stopped it; empty: it is complete.
    """

    moments: list[Moment]
    ever_on: float
    words: str

    @property
    def ended(self) -> str:
        """The state that it came to."""
        return self.moments[-1].state

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.moments[-1].seconds


def plan_for(devices: int, look_seconds: float) -> Plan:
    """1, 5, 25 and 100 %, as `docs/rollouts.md` advises, in minutes; wider stages where 1 % would be hardly anybody.

    Nobody sends a picture twice here, so there are no gates on pairs.
    """
    widths = sorted({min(100.0, max(width, 100 * FEWEST / devices)) for width in WIDTHS})
    return Plan(stages=tuple(_stage(width, int(devices * width / 100), look_seconds) for width in widths))


async def follow(
    server: FleetServer, cameras: Cameras, counter: int, plan: Plan, report: Callable[[str], None]
) -> Followed:
    """Begin a rollout and watch it to its end; one that comes to be paused is aborted.

    Raises:
        TimeoutError: it did not come to one.
    """
    began, moments, devices = time.monotonic(), list[Moment](), len(cameras.every)
    rollout = await asyncio.to_thread(server.start, counter, plan)
    async with asyncio.timeout(END_SECONDS):
        while not moments or moments[-1].state in WAITING:
            await asyncio.sleep(LOOKED_AT_EVERY_SECONDS)
            stands = await asyncio.to_thread(server.rollout, rollout)
            running, confirmed = cameras.on(counter) / devices, stands["devices"]["confirmed"] / devices
            percent = stands["percent"] if stands["state"] in EXPOSING else 0.0
            moment = Moment(time.monotonic() - began, stands["state"], percent, running, confirmed)
            if not moments or (moment.state, moment.percent) != (moments[-1].state, moments[-1].percent):
                report(f"{moment.state}, {moment.percent:g} %: {running:.1%} run v{counter}, {confirmed:.1%} confirmed")
            moments.append(moment)
    if _words(stands):
        report(_words(stands))
    if moments[-1].state == "paused":
        await asyncio.to_thread(server.steer, rollout, "abort")
    return Followed(moments, cameras.ever_on(counter) / devices, _words(stands))


def _stage(percent: float, devices: int, look_seconds: float) -> Stage:
    gates = FINE if devices >= MANY else COARSE if devices >= FEW else (_BROKEN,)
    return Stage(
        percent=percent,
        min_devices=int((SETTLED_OF_ALL if percent == 100 else SETTLED) * devices),
        min_frames=devices,
        deadline_seconds=look_seconds * LOOKS,
        looks=LOOKS,
        gates=tuple(gate for gate in gates if gate.kind is not GateKind.PROBES),
    )


def _words(stands: dict[str, Any]) -> str:
    """What the gates said that did not pass, at the last look at which there was one."""
    said = [verdict for verdict in stands["verdicts"] if verdict["opinion"] != "pass"]
    if stands["state"] == "complete" or not said:
        return ""
    failed = [verdict for verdict in said if verdict["opinion"] == "fail"]
    last = [verdict for verdict in failed or said if verdict["at"] == (failed or said)[-1]["at"]]
    return "; ".join(verdict["words"] for verdict in last)
