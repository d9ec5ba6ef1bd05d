"""What of a family is assigned below a floor, by what the database has."""

from collections.abc import Sequence

from cloud_server.registry.floor import DEVICES_NAMED, BelowFloor
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows.assignments import HoldKind, held_at, last_assigned
from cloud_server.storage.rows.rollouts import active_of


def below_floor(transaction: Transaction, family: str, floor: int, *, above: int = 0) -> BelowFloor:
    """What of a family is assigned below a floor.

    Args:
        above: only what is not below this earlier floor, too.
    """
    counters = range(above, floor)
    assigned, held = _below(last_assigned(transaction, family, 1), counters), held_at(transaction, family, counters)
    rollout, kinds = active_of(transaction, family), [row.kind for row in held]
    led_to = None if rollout is None else _below([rollout.counter], counters)
    return BelowFloor(
        family=family,
        floor=floor,
        assigned=assigned,
        pinned=kinds.count(HoldKind.PIN),
        quarantined=kinds.count(HoldKind.QUARANTINE),
        devices=tuple(dict.fromkeys(row.public_id for row in held))[:DEVICES_NAMED],
        led_to=led_to,
        rollout=None if rollout is None or (led_to is None and assigned is None) else rollout.id,
    )


def _below(found: Sequence[int], counters: range) -> int | None:
    return next((counter for counter in found if counter in counters), None)
