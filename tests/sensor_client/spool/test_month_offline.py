"""A month without a server, in fake time: quotas hold, the least wanted goes first and is counted, the rest arrives."""

import contextlib
from collections import Counter
from pathlib import Path

from sensor_client.spool import DropReason, Priority, Spool, SpoolLimits

DAYS = 30
FRAMES_A_DAY = 200
DAY_SECONDS = 86400.0
STARTS_EVERY_DAYS = 3
LIMITS = SpoolLimits(frames=2500, frame_bytes=2500 * 500, age_seconds=20 * DAY_SECONDS)


def priority_of(number: int) -> Priority:
    """Of twenty frames one is asked for, two are rare, three show a change."""
    place = number % 20
    if place == 0:
        return Priority.REQUESTED
    return Priority.RARE if place < 3 else Priority.CHANGE if place < 6 else Priority.ORDINARY


def test_after_a_month_offline_what_was_wanted_most_is_there_and_everything_is_accounted_for(tmp_path: Path) -> None:
    """The device is switched off each third night; what it ran is all that counts for age."""
    path, taken = tmp_path / "spool.sqlite3", dict[int, tuple[int, Priority]]()
    clock = [0.0]
    for day in range(DAYS):
        if day % STARTS_EVERY_DAYS == 0:
            clock[0] = 77.0 * day  # each start has a clock of its own
            spool = Spool(path, LIMITS, monotonic_seconds=lambda: clock[0], random=lambda: 0.5)
            with spool._database.reading() as connection:
                connection.execute("PRAGMA synchronous = OFF")  # nothing here is about power
        for _ in range(FRAMES_A_DAY):
            clock[0] += DAY_SECONDS / FRAMES_A_DAY
            priority = priority_of(len(taken))
            taken[spool.append(bytes(400 + len(taken) % 200), 0, priority=priority)] = (day, priority)
            depth = spool.depth()
            assert depth.frames <= LIMITS.frames and depth.frame_bytes <= LIMITS.frame_bytes
        if day % STARTS_EVERY_DAYS == STARTS_EVERY_DAYS - 1:
            spool.close()
    with contextlib.closing(Spool(path, LIMITS)) as spool:
        drops, delivered = spool.drops(), list[int]()
        while frames := spool.oldest(64):
            delivered += [frame.sequence for frame in frames]
            spool.acknowledge(delivered[-len(frames) :])
        counters = spool.counters()

    assert counters.encoded == len(taken) == DAYS * FRAMES_A_DAY
    assert len(delivered) == len(set(delivered)) == counters.acknowledged == len(taken) - counters.dropped
    kept = Counter(taken[number][1] for number in delivered)
    gone = Counter(taken[number][1] for number in taken.keys() - set(delivered))
    for priority in Priority:
        counted = sum(drops.get((reason, priority), 0) for reason in DropReason)
        assert counted == gone[priority]
    assert {reason for reason, _ in drops} == {DropReason.QUOTA, DropReason.AGE}
    assert {priority for reason, priority in drops if reason is DropReason.QUOTA} == {Priority.ORDINARY}
    young = {number for number, (day, _) in taken.items() if day >= DAYS - 20}
    assert all(number in delivered for number in young if taken[number][1] > Priority.ORDINARY)
    ordinary = sorted(number for number in taken if taken[number][1] is Priority.ORDINARY)
    assert sorted(set(delivered) & set(ordinary)) == ordinary[-kept[Priority.ORDINARY] :], "the oldest went"
    assert [taken[number][1] for number in delivered] == sorted((taken[n][1] for n in delivered), reverse=True)
