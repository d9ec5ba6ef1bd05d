"""A family's floor and what is assigned below it: no device takes a bundle of a lower counter, whoever assigns it.

A device keeps the highest floor that a verified list named. So a list with a higher one takes the tables from new and
damaged devices whose bundle falls below it, and is published only where the request says that this may be.
"""

from dataclasses import dataclass
from enum import StrEnum

from cloud_server.errors import BelowFloorError

DEVICES_NAMED = 20


class Falling(StrEnum):
    """What a newly signed list may take below the floor."""

    NOTHING = "nothing"
    """Whatever is assigned stays at or above the floor."""
    FAMILY = "family"
    """What the family is assigned may fall, for another bundle takes its place; what devices are held at may not."""
    EVERYTHING = "everything"
    """New devices of whatever falls get no tables until they are assigned others."""


@dataclass(frozen=True, slots=True)
class BelowFloor:
    """What of a family is assigned below a floor.

    Args:
        assigned: the counter that the family is assigned, where that is below; else None.
        pinned: how many devices are pinned below it.
        quarantined: how many are held below it in quarantine.
        devices: the names of the first `DEVICES_NAMED` of both.
        led_to: the counter to which the family's active rollout leads, where that is below; else None.
        rollout: this rollout, where that, or what the family is assigned meanwhile, is below; else None.
    """

    family: str
    floor: int
    assigned: int | None
    pinned: int
    quarantined: int
    devices: tuple[str, ...]
    led_to: int | None = None
    rollout: str | None = None

    @property
    def parts(self) -> list[str]:
        """What is below the floor, in words; nothing where nothing is."""
        back = "" if self.rollout is None else f" and goes back to where rollout {self.rollout} is stopped"
        parts = [] if self.assigned is None else [f"{self.family}/{self.assigned}, which the family is assigned{back}"]
        if self.devices:
            more = ", ..." if self.pinned + self.quarantined > len(self.devices) else ""
            held = f"{self.pinned} pinned and {self.quarantined} quarantined: {', '.join(self.devices)}{more}"
            parts.append(f"what single devices are held at ({held})")
        return parts


def require_may_fall(falls: BelowFloor, falling: Falling, unassigned: int | None) -> None:
    """Whether a list may be published that takes something below the floor.

    What a rollout leads devices to never may: they would be told to run what none of them takes.

    Args:
        falls: what the list takes below the floor.
        unassigned: the counter of the bundle that answers before the family's first assignment, where it would be
            another one then; None where it stays, or something is assigned.

    Raises:
        BelowFloorError: it may not.
    """
    if falls.led_to is not None:
        raise BelowFloorError(
            f"this raises the floor of {falls.family} to {falls.floor}, above {falls.family}/{falls.led_to}, "
            f"to which rollout {falls.rollout} leads devices; none of them would take it any more. Wait until "
            f"the rollout has ended, or end it: dctwire assign {falls.family} COUNTER"
        )
    if falling is Falling.EVERYTHING:
        return
    parts = falls.parts if falling is Falling.NOTHING or falls.assigned is None else falls.parts[1:]
    if unassigned is not None and falling is Falling.NOTHING:
        parts.append(f"{falls.family}/{unassigned}, which answers before the first assignment")
    if parts:
        raise BelowFloorError(
            f"this raises the floor of {falls.family} to {falls.floor}, and no device takes what is below it anew. "
            f"Below it would be {' and '.join(parts)}. Where that may be, say so with raise_floor"
        )
