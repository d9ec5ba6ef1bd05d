"""Two devices with one identity: which signs there are, and what is no sign."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.errors import StorageError
from cloud_server.fleet.clones import (
    BOOTS_KEPT,
    CONFLICTING_MAX,
    CONFLICTS_MAX,
    CONFLICTS_WITHIN_SECONDS,
    Boot,
    Clones,
    CloneSign,
    after,
)
from cloud_server.fleet.devices import CloneMark, Device
from cloud_server.storage.witness import Witness


def told(*boots: tuple[str, float]) -> list[bool]:
    """Whether each of these heartbeats proves two programs."""
    seen: tuple[Boot, ...] = ()
    proofs = []
    for name, uptime_seconds in boots:
        seen, is_proof = after(seen, Boot(name, uptime_seconds))
        proofs.append(is_proof)
    return proofs


def test_a_start_that_comes_back_after_another_and_ran_on_is_a_second_program() -> None:
    assert told(("a", 10), ("b", 5), ("a", 21_610)) == [False, False, True]
    assert told(("a", 10), ("b", 5), ("c", 5), ("b", 7)) == [False, False, False, True]


def test_an_old_request_that_was_held_up_on_its_way_is_no_second_program() -> None:
    assert told(("a", 10), ("b", 5), ("a", 10), ("b", 30)) == [False] * 4


@given(st.lists(st.integers(1, 3), max_size=30))
def test_a_device_that_starts_anew_ever_so_often_is_one(heartbeats_by_start: list[int]) -> None:
    boots = [(f"boot{n}", float(k)) for n, count in enumerate(heartbeats_by_start) for k in range(count)]
    assert not any(told(*boots))


def test_so_many_starts_are_remembered_and_no_more() -> None:
    seen: tuple[Boot, ...] = ()
    for number in range(100):
        seen, _ = after(seen, Boot(str(number), 0))
    assert [boot.name for boot in seen] == [str(number) for number in range(100 - BOOTS_KEPT, 100)]


@dataclass
class Noting:
    """Devices that note their marks, and a clock to be moved."""

    now: float = 1000.0
    is_away: bool = False
    marks: dict[str, CloneMark] = field(default_factory=dict)

    def clone_mark(self, device: Device) -> CloneMark | None:
        """As `Devices`."""
        return self.marks.get(device.public_id)

    async def mark_clone(self, device: Device, why: str, witness: Witness) -> None:
        """As `Devices`."""
        if self.is_away:
            raise StorageError("the database does not answer")
        self.marks[device.public_id] = CloneMark(self.now, why)


def device(number: int = 1) -> Device:
    return Device(number, f"dev{number}", "digits", b"", 0.0)


def conflicts(noting: Noting, *seconds: float) -> Clones:
    """Conflicts of one device, with so many seconds between them."""
    clones = Clones(noting, lambda: noting.now)  # type: ignore[arg-type]

    async def go() -> None:
        for wait_seconds in seconds:
            noting.now += wait_seconds
            await clones.note_conflict(device())

    asyncio.run(go())
    return clones


def test_conflicts_again_and_again_within_an_hour_are_a_sign() -> None:
    noting = Noting()
    conflicts(noting, *[600] * (CONFLICTS_MAX - 1))
    assert not noting.marks
    conflicts(noting, *[600] * CONFLICTS_MAX)
    assert noting.marks["dev1"].why == CloneSign.CONFLICTS


def test_conflicts_that_come_seldom_are_none() -> None:
    noting = Noting()
    conflicts(noting, *[CONFLICTS_WITHIN_SECONDS / (CONFLICTS_MAX - 1) + 1] * 20)
    assert not noting.marks


def test_a_mark_that_could_not_be_written_is_written_at_the_next_sign() -> None:
    noting = Noting(is_away=True)
    clones = conflicts(noting, *[1] * CONFLICTS_MAX)
    assert not noting.marks
    noting.is_away = False
    asyncio.run(clones.note_conflict(device()))
    assert noting.marks


@pytest.mark.parametrize("rows", [CONFLICTING_MAX + 2])
def test_only_so_many_devices_conflicts_are_held(rows: int) -> None:
    noting = Noting()
    clones = Clones(noting, lambda: noting.now)  # type: ignore[arg-type]

    async def go() -> None:
        for number in range(rows):
            await clones.note_conflict(device(number))

    asyncio.run(go())
    assert len(clones) <= CONFLICTING_MAX
