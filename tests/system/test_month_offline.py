"""A month without a server, in the camera's time: what is kept, what goes first, and what arrives within the budget.

Capture, spool, uploader, budget and line are the sensor's own, over real sockets to a real server; time is the fake
clock's, which passes while somebody waits. What should be kept is worked out beside them, by the rule as it is written.
"""

import contextlib
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy

from benchmarks.counting_relay import CountingRelay
from harness.tcp_fault_proxy import TcpFaultProxy
from harness.tcp_faults import Drop, Pass
from sensor_client.active_bundle import ActiveBundle
from sensor_client.budget import Budget
from sensor_client.capture import Capture, CaptureSettings
from sensor_client.companion_sender import CompanionSender
from sensor_client.device_channel import DeviceChannel
from sensor_client.encode_times import EncodeTimes
from sensor_client.http_line import HttpLine
from sensor_client.ledger import Ledger
from sensor_client.line_health import LineHealth
from sensor_client.policies import CaptureOrders, HeldCaptureOrders, Requests
from sensor_client.signals import Signals
from sensor_client.spool import DropReason, Priority, Spool, SpoolLimits
from sensor_client.upload_orders import HeldUploadOrders, UploadOrders
from sensor_client.uploader import Uploader
from shared.bundle import Bundle
from shared.errors import ChannelError
from shared.pictures import Pixels
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.power_cuts.killed_field import digest_of
from tests.sensor_client.fakes import Access, FakeClock
from tests.sensor_client.uploading import Witness

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

FAMILY = "signs"
HOUR_SECONDS, DAY_SECONDS = 3600.0, 86400.0
PERIOD_SECONDS = 1200.0
PICTURES = 30 * 24 * 3
RARE_EVERY = 12
LIMITS = SpoolLimits(frames=500, frame_bytes=120_000, age_seconds=20 * DAY_SECONDS + 137)
HOUR_BYTES = 8_000


@dataclass(frozen=True)
class Shot:
    """One of the camera's pictures, none like another."""

    number: int
    captured_at: float | None = None

    @property
    def label(self) -> str | None:
        return "rare" if self.number % RARE_EVERY == 0 else None

    def jpeg(self) -> bytes | None:
        return None

    def pixels(self) -> Pixels:
        return np.random.default_rng(self.number).integers(0, 256, (4, 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)

    def settle(self) -> None:
        return None


class MonthCamera:
    """Gives as many as a month has."""

    shot_count = PICTURES

    def shots(self, stop: Event) -> Generator[Shot, None, None]:
        yield from map(Shot, range(1, PICTURES + 1))


@dataclass
class Stored:
    """A frame as it came into the spool."""

    sequence: int
    priority: Priority
    body: bytes
    at_seconds: float


class NotingSpool(Spool):
    """The spool, and a list of what came into it."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        super().__init__(path, LIMITS, monotonic_seconds=clock.monotonic_seconds)
        self._clock = clock
        self.stored: list[Stored] = []

    def append(self, body: bytes, *more: Any, priority: Priority = Priority.ORDINARY, **named: Any) -> int:
        sequence = super().append(body, *more, priority=priority, **named)
        self.stored.append(Stored(sequence, priority, body, self._clock.monotonic_seconds()))
        return sequence


@dataclass
class Rule:
    """What is kept, by the rule in words: what is too old goes; over a quota, the oldest of the lowest priority."""

    kept: list[Stored] = field(default_factory=list)
    dropped: Counter[tuple[DropReason, Priority]] = field(default_factory=Counter)

    def store(self, new: Stored) -> None:
        self.kept.append(new)
        for old in [old for old in self.kept if new.at_seconds - old.at_seconds > (LIMITS.age_seconds or 0)]:
            self._drop(old, DropReason.AGE)
        while len(self.kept) > LIMITS.frames or sum(len(each.body) for each in self.kept) > LIMITS.frame_bytes:
            self._drop(min(self.kept, key=lambda each: (each.priority, each.sequence)), DropReason.QUOTA)

    def _drop(self, frame: Stored, reason: DropReason) -> None:
        self.kept.remove(frame)
        self.dropped[reason, frame.priority] += 1


class Device:
    """The sensor's parts, in a folder, behind a line that may be cut."""

    def __init__(self, folder: Path, url: str, access: Access, bundle: Bundle) -> None:
        self.clock, self.signals, self.requests = FakeClock(), Signals(settled_seq=0), Requests()
        self.spool = NotingSpool(folder / "spool.sqlite3", self.clock)
        orders = HeldUploadOrders(UploadOrders(batch=16, budget=Budget(hour_bytes=HOUR_BYTES, is_hard=True)))
        self.ledger = Ledger(folder / "traffic.json", self.clock, orders)
        self.line = HttpLine(url, self.clock, meter=self.ledger)
        channel = DeviceChannel(
            line=self.line, access=access, clock=self.clock, assignment_seen=self.signals.notice_assignment
        )
        same: dict[str, Any] = {
            "spool": self.spool, "clock": self.clock, "random": lambda: 0.5, "signals": self.signals,
        }  # fmt: skip
        self.uploader = Uploader(
            channel=channel,
            companions=CompanionSender(channel=channel, orders=orders, **same),
            witness=Witness(),
            allowance=self.ledger,
            health=LineHealth(folder / "line.json", self.clock),
            orders=orders,
            ends_when_drained=True,
            **same,
        )
        self.capture = Capture(
            device_id="dev1",
            camera=MonthCamera(),
            active=ActiveBundle(bundle),
            times=EncodeTimes(self.clock),
            witness=_Witness(),
            prober=None,
            orders=HeldCaptureOrders(
                CaptureOrders(frames_per_second=1 / PERIOD_SECONDS, rare_labels=frozenset({"rare"}))
            ),
            requests=self.requests,
            time_floor=lambda: 0.0,
            settings=CaptureSettings(),
            **same,
        )


class _Witness:
    def encoded(self, target: str) -> None:
        return None

    def encoder_failed(self, target: str, reason: str) -> None:
        raise AssertionError(reason)


def take_for_a_month(device: Device, proxy: TcpFaultProxy) -> None:
    """Take the pictures; once an hour an upload is tried in vain, and once a day somebody asks for a picture."""
    hour = 0
    began = device.clock.elapsed_seconds

    def pass_time(_seconds: float) -> None:
        nonlocal hour
        while device.clock.elapsed_seconds - began >= (hour + 1) * HOUR_SECONDS:
            hour += 1
            if hour == 15 * 24:
                proxy.choose_by(Drop)  # until then the proxy found nobody
            if hour % 24 == 0:
                device.requests.ask()
            with contextlib.suppress(ChannelError):
                device.uploader.step()

    device.clock.on_wait = pass_time
    device.capture.run()
    assert hour >= 29 * 24
    assert device.spool.counters().acknowledged == 0


def everything(spool: Spool) -> set[int]:
    """The numbers of all frames that wait."""
    found: set[int] = set()
    while frames := spool.oldest(LIMITS.frames, but=found):
        found |= {frame.sequence for frame in frames}
    return found


def deliver(device: Device, relay: CountingRelay) -> Counter[int]:
    """Upload until nothing waits; the bytes that crossed the network in each hour."""
    hourly: Counter[int] = Counter()
    seen = relay.sent_bytes + relay.received_bytes
    at = device.clock.now()

    def pass_time(_seconds: float) -> None:
        nonlocal seen, at
        passed = relay.sent_bytes + relay.received_bytes
        hourly[int(at // HOUR_SECONDS)] += passed - seen
        seen, at = passed, device.clock.now()

    device.clock.on_wait = pass_time
    device.uploader.run()
    pass_time(0.0)
    return hourly


def records(harness: ServerHarness) -> dict[int, int]:
    """Digests by number, in the order in which the server received them."""
    query = "SELECT sequence, scan_digest FROM results ORDER BY received_at_ns"
    with harness.database() as database:
        return {int(row[0]): int(row[1]) for row in database.execute(sqlalchemy.text(query))}


def test_after_a_month_offline_what_matters_most_arrives_first_and_nothing_is_spent_over_the_budget(
    tmp_path: Path,
) -> None:
    with server_in_thread(tmp_path, quota_frames_per_second=1e6) as harness:
        bundle = write_bundle(tmp_path / "bundle", FAMILY, 1, tables(50))
        harness.publish(tmp_path / "bundle")
        harness.assign(FAMILY, 1)
        joined, url = harness.enrol(FAMILY), httpx.URL(harness.addresses["device"])
        with TcpFaultProxy(("127.0.0.1", 1)) as proxy, CountingRelay(proxy.address) as relay:
            address = "http://{}:{}".format(*relay.address)
            device = Device(tmp_path, address, Access(joined.device_id, joined.token), bundle)
            take_for_a_month(device, proxy)
            rule = Rule()
            for stored in device.spool.stored:
                rule.store(stored)
            waiting = everything(device.spool)
            dropped = device.spool.drops()
            proxy.point_at((url.host, url.port or 80))
            proxy.choose_by(Pass)
            hourly = deliver(device, relay)
        found = records(harness)
    assert len(device.spool.stored) == PICTURES
    assert waiting == {kept.sequence for kept in rule.kept}
    assert dropped == rule.dropped
    assert {reason for reason, _ in dropped} == set(DropReason) - {DropReason.DAMAGE}
    assert found == {kept.sequence: digest_of(kept.body) for kept in rule.kept}
    priorities = {kept.sequence: kept.priority for kept in rule.kept}
    assert [priorities[number] for number in found] == sorted(priorities.values(), reverse=True)
    assert max(hourly.values()) <= HOUR_BYTES
    assert len([count for count in hourly.values() if count > HOUR_BYTES // 2]) > 10
    assert device.spool.depth().frames == 0
    device.line.close()
    device.spool.close()
