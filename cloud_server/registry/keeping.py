"""Which entries a family's targets metadata must keep: those that a device or a server may still ask for.

All others go when somebody signs, so that a family's metadata have a handful of entries however often it is published.
"""

from collections.abc import Collection, Iterable
from heapq import nlargest

from cloud_server.errors import ConflictError
from cloud_server.fleet.assignments import RUNNING_DAYS
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows.assignments import held_counters, last_assigned, sent_counters
from cloud_server.storage.rows.device_settings import in_effect
from cloud_server.storage.rows.published import newest_fallback, released_of
from cloud_server.storage.rows.rollouts import active_of
from shared.bundle import settings_path

ASSIGNED = 2
ROLLED_OUT = 1
"""To so many bundles a family is led beside what it is assigned; from where a rollout leads is what is assigned."""
IN_USE_MAX = 32
"""At so many bundles the devices of a family may be held; fewer are filled up with such as devices only sent last."""
NEWEST = 2
_RUNNING_SECONDS = RUNNING_DAYS * 86400.0


def kept_paths(
    transaction: Transaction, family: str, listed: Collection[str], floor: int, now: float
) -> frozenset[str]:
    """The target paths that must stay, listed or not.

    Args:
        listed: what the current targets metadata list.
        floor: the lowest counter that devices of the family still run.
        now: seconds since 1970.
    """
    numbers = [int(name) for name in map(_name_of, listed) if name.isdecimal()]
    assigned = last_assigned(transaction, family, ASSIGNED) or serving_unassigned(numbers, floor)
    rollout = active_of(transaction, family)
    told = [*assigned, *([] if rollout is None else [rollout.counter])]
    held, sent = held_counters(transaction, family), sent_counters(transaction, family, now - _RUNNING_SECONDS)
    counters = needed_counters(told, held, sent, numbers)
    fallbacks = {released_of(transaction, family), newest_fallback(transaction, family)} - {None}
    settings = [settings_path(family, row.counter) for row in in_effect(transaction, family)]
    bundles = [f"{family}/{counter}.json" for counter in counters]
    return frozenset([*bundles, *(f"{name}.json" for name in fallbacks), *settings])


def needed_counters(
    told: Collection[int], held: Collection[int], sent: Iterable[int], listed: Iterable[int]
) -> frozenset[int]:
    """The counters of the bundles that must stay.

    Args:
        told: those that the family was assigned last, so that it can go back without a signature, and that which its
            rollout leads to; all of them stay.
        held: those at which devices are pinned or in quarantine; all of them stay.
        sent: those that devices sent last; of what is none of these as many stay, the newest, as make up
            `IN_USE_MAX` with those that are held.
        listed: those that are listed; the newest two stay.
    """
    only_sent = set(sent).difference(told, held)
    newest_sent = nlargest(IN_USE_MAX - len(set(held)), only_sent)
    return frozenset([*told, *held, *newest_sent, *nlargest(NEWEST, listed)])


def require_room_to_hold(family: str, counter: int, others: Collection[int]) -> None:
    """Whether a device may be held at a bundle beside all that other devices are held at.

    Args:
        others: the counters of these.

    Raises:
        ConflictError: they are `IN_USE_MAX` already, and this would be one more.
    """
    if counter not in others and len(others) >= IN_USE_MAX:
        raise ConflictError(
            f"{family}/{counter} would be one more than the {IN_USE_MAX} bundles at which devices of a family may be "
            "held, so that its signed list stays short. Name one at which others are held "
            f"({', '.join(map(str, sorted(others)))}), or let those of one go: dctwire devices unpin, release"
        )


def serving_unassigned(listed: Iterable[int], floor: int) -> list[int]:
    """The counter of the bundle that answers a family which is assigned nothing: the lowest that devices still run."""
    return sorted(counter for counter in listed if counter >= floor)[:1]


def _name_of(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")
