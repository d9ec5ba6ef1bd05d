"""What is seen of a rollout: read from the database in one go, and worked out into what the rules ask for.

It runs in a database thread. Of ten thousand devices it reads some thirty thousand short rows, of which no objects are
made: that would take longer than reading them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_server.rollout.counted import counted
from cloud_server.rollout.counts import Counts
from cloud_server.rollout.outcomes import Outcome, Tally, Trail, outcome_of, tally, worst
from cloud_server.rollout.plan import Plan
from cloud_server.rollout.standing import GAP_SECONDS
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows import fleet, heartbeats, rollout_counts
from cloud_server.storage.rows.rollout_counts import Arm, ReachedRow
from cloud_server.storage.rows.rollouts import RolloutRow

_EXPOSED_AT, _OUTCOME = map(ReachedRow._fields.index, ("exposed_at", "outcome"))
IsExposed = Callable[[str], bool]
"""Whether the device of this public name is led to the new bundle."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen at a moment.

    Args:
        exposed: how many devices are led to the new bundle.
        tally: what became of it on them.
        changed: those of which more is known than was noted.
        frames: answered with the new bundle.
        still_new: devices that sent the new tables last, and were heard of since the rollout began; none that is held.
        counts: what the gates compare; None where it was not asked for.
    """

    exposed: int
    tally: Tally
    changed: Sequence[ReachedRow]
    frames: int
    still_new: int
    counts: Counts | None


def see(
    transaction: Transaction,
    row: RolloutRow,
    plan: Plan,
    is_exposed: IsExposed,
    uncounted: Collection[int],
    now: float,
    *,
    with_counts: bool,
) -> Sight:
    """Look at a rollout.

    Args:
        uncounted: devices, by row, from which nothing may be concluded, since they are pinned or in quarantine.
        now: seconds since 1970.
        with_counts: whether the gates are to be judged.
    """
    new = [each for each in rollout_counts.counts(transaction, row.id, Arm.NEW) if each[0] not in uncounted]
    proofs = {device_id: frames - fallback for device_id, frames, _, fallback, *_ in new}
    noted = {each[0]: each for each in rollout_counts.reached(transaction, row.id)}
    told = _told(transaction, row)
    found, still_new, new_tables = [], 0, f"v{row.counter}"
    for device_id, public_id, last_seen_at, last_tables in fleet.heard(transaction, row.family):
        if device_id in uncounted:
            continue
        still_new += last_tables == new_tables and (device_id in noted or (last_seen_at or 0) >= row.created_at)
        if not is_exposed(public_id):
            continue
        heard = _heard_last(last_seen_at, now)
        first = noted[device_id][_EXPOSED_AT] if device_id in noted else _heard_first(heard, row.stage_since)
        trail = Trail(told.get(device_id), proofs.get(device_id, 0), first, heard)
        found.append((device_id, trail, outcome_of(trail, plan.proofs, plan.timeout_seconds)))
    return Sight(
        exposed=len(found),
        tally=tally(outcome for *_, outcome in found),
        changed=_changed(found, noted, now),
        frames=sum(frames for _, frames, *_ in new),
        still_new=still_new,
        counts=counted(transaction, row, uncounted) if with_counts else None,
    )


def _heard_last(last_seen_at: float | None, now: float) -> float | None:
    """When a device was heard of last; what a clock noted that was ahead says nothing."""
    return None if last_seen_at is None or last_seen_at > now + GAP_SECONDS else last_seen_at


def _heard_first(heard: float | None, stage_since: float) -> float | None:
    """When a device that was not reached yet was heard of after it was exposed, as far as is known."""
    return heard if heard is not None and heard >= stage_since else None


def _told(transaction: Transaction, row: RolloutRow) -> Mapping[int, Outcome | None]:
    """The worst that each device told of the new bundle, of those on which it failed."""
    told: dict[int, Outcome | None] = {}
    for device_id, event in heartbeats.failures_told(transaction, row.seq, f"{row.family}/{row.counter}.json"):
        told[device_id] = worst(told.get(device_id), Outcome(event))
    return told


def _changed(
    found: Iterable[tuple[int, Trail, Outcome]], noted: Mapping[int, tuple[Any, ...]], now: float
) -> Sequence[ReachedRow]:
    """Devices that were reached and have another outcome than was `noted`, as a `ReachedRow` of each, by row."""
    changed = []
    for device_id, trail, outcome in found:
        if outcome is Outcome.NOT_REACHED or (device_id in noted and noted[device_id][_OUTCOME] == outcome):
            continue
        settled_at = None if outcome is Outcome.PENDING else now
        first = now if trail.heard_first is None else trail.heard_first
        changed.append(ReachedRow(device_id, first, outcome.value, settled_at, trail.proofs))
    return changed
