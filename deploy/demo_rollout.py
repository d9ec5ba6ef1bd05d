"""The demo's rollout: v2 comes to the canary first and then to all, and what the server saw of that proves it."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo_fleet import CAMERAS
from harness import commands
from harness.measurement import Samples
from harness.processes import ProgramError, Running, run, wait_for_all

PLAN = Path(__file__).with_name("rollout.toml")
ONE_ON_V2 = {"v1": CAMERAS - 1, "v2": 1}


@dataclass(frozen=True)
class Moment:
    """What the server's metrics said at a time of the monotonic clock.

    Args:
        cameras: how many sent these tables last.
        frames_v1: answered so far.
    """

    at_seconds: float
    cameras: Mapping[str, int]
    frames_v1: int

    @classmethod
    def of(cls, samples: Samples, at_seconds: float) -> "Moment":
        """What a scrape says."""
        cameras = {tables: int(samples.total("dctwire_devices_by_tables", tables=tables)) for tables in ("v1", "v2")}
        return cls(at_seconds, cameras, int(samples.total("dctwire_frames_total", tables="v1")))


@dataclass(frozen=True)
class Proof:
    """What proves that the rollout went by its plan.

    Args:
        alone_seconds: how long the canary alone sent v2.
        frames_v1_meanwhile: that the others sent in that time.
        seconds: from its start until it was complete.
    """

    rollout: str
    alone_seconds: float
    frames_v1_meanwhile: int
    seconds: float

    @property
    def words(self) -> str:
        """It for people."""
        return (
            f"Rollout {self.rollout}: the canary alone sent v2 for {self.alone_seconds:.0f} s, while the other "
            f"{CAMERAS - 1} cameras sent {self.frames_v1_meanwhile} frames with v1. These got v2 only after the "
            f"canary's own frames had proven it, and their frames proved it, too: complete after {self.seconds:.0f} s."
        )


def roll_out(
    scrape: Callable[[], Samples], as_operator: Mapping[str, str], canary: str, log: Path, seconds: float
) -> Proof:
    """Lead every camera to v2 by the plan, while a terminal shows how it goes on.

    Args:
        canary: the name of the device that has the plan's tag.

    Raises:
        ProgramError: it was not complete in time, or what was seen of it is no proof.
    """
    moments: list[Moment] = []
    begin = run(commands.start_rollout(2, PLAN), log=log, env=as_operator)
    rollout = str(json.loads(begin)["id"])
    with Running(commands.watch_rollout(rollout), None, as_operator) as watch:
        wait_for_all([watch], seconds, lambda: moments.append(Moment.of(scrape(), time.monotonic())))
    reached = json.loads(run(commands.rollout_devices(rollout), log=log, env=as_operator))["devices"]
    return proof(rollout, moments, reached, canary)


def proof(rollout: str, moments: Sequence[Moment], reached: Sequence[Mapping[str, Any]], canary: str) -> Proof:
    """What the moments and the devices that were `reached`, in that order, prove.

    Raises:
        ProgramError: that the canary was alone, and was confirmed before any other was exposed, cannot be seen.
    """
    alone = [moment for moment in moments if moment.cameras == ONE_ON_V2]
    by_frames = [device for device in reached if device["outcome"] == "confirmed"]
    if len(by_frames) != CAMERAS or by_frames[0]["device_id"] != canary or not alone:
        raise ProgramError(f"rollout {rollout} did not confirm the canary {canary} first and then all: {reached}")
    first, *others = by_frames
    if any(first["settled_at"] > other["exposed_at"] for other in others):
        raise ProgramError(f"rollout {rollout} exposed others before the canary was confirmed: {reached}")
    return Proof(
        rollout,
        alone[-1].at_seconds - alone[0].at_seconds,
        alone[-1].frames_v1 - alone[0].frames_v1,
        moments[-1].at_seconds - moments[0].at_seconds,
    )
