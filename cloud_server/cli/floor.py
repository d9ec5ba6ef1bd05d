"""A family's floor on the operator's side: what a new list would take below it, and what is below it now."""

from collections.abc import Mapping
from typing import Any

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.output import warn
from cloud_server.cli.signed_lists import SignedLists
from cloud_server.registry.floor import BelowFloor, Falling, require_may_fall
from shared.bundle import Bundle, Fallback
from shared.trust import floor_of, parse_targets


def falling_of(lists: SignedLists, family: str, targets: bytes, wanted: Falling) -> Falling:
    """What a list may take below the floor, beside what is `wanted`.

    Where this operator keeps a list with that floor, the server had it, and devices have it still. A server that a
    backup took behind is given it back without a question: nothing is taken from anybody.

    Raises:
        TrustError: the server's list does not verify.
        RefusedError, ChannelError: as the server says.
    """
    if wanted is Falling.EVERYTHING or _floor(targets) > lists.kept_floor(family):
        return wanted
    served = lists.served(family)
    return wanted if served is not None and _floor(served) >= _floor(targets) else Falling.EVERYTHING


def require_may_rise(
    client: OperatorClient, lists: SignedLists, published: Bundle | Fallback, falling: Falling
) -> None:
    """Whether a family's floor may be raised as a bundle says, before it is uploaded. The server decides.

    Raises:
        BelowFloorError: more would fall below it than may.
        RefusedError, ChannelError: as the server says.
    """
    family, floor = published.family, published.min_counter if isinstance(published, Bundle) else 0
    if falling is not Falling.EVERYTHING and floor > max(1, lists.kept_floor(family)):
        document = client.get(f"/v1/tuf/{family}/floor", {"raised_to": floor})
        require_may_fall(below_floor(family, document), falling, None)


def warn_of_fallen(family: str, document: Mapping[str, Any]) -> None:
    """Say what of a family is assigned below its floor, and what to type."""
    below = below_floor(family, document)
    if below.parts:
        warn(
            f"below the floor {below.floor} of {family} is {' and '.join(below.parts)}. New and damaged devices get no "
            f"tables from that. Next: {'; '.join(_next_steps(below))}"
        )


def below_floor(family: str, document: Mapping[str, Any]) -> BelowFloor:
    """What the server says is below a family's floor."""
    return BelowFloor(family, **{**document, "devices": tuple(document["devices"])})


def _next_steps(below: BelowFloor) -> list[str]:
    steps = [] if below.assigned is None else [f"dctwire assign {below.family} COUNTER"]
    steps += ["dctwire devices pin DEVICE COUNTER, or unpin DEVICE"] if below.pinned else []
    return steps + (["dctwire devices quarantine DEVICE --counter COUNTER"] if below.quarantined else [])


def _floor(targets: bytes) -> int:
    return floor_of(parse_targets(targets).signed)
