"""Who is exposed now: what rollouts lead devices to, worked out once for each, since every answered frame asks."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from cloud_server.fleet.exposure import Exposure
from shared.wire import Assignment

TAGS_SECONDS = 5.0
"""How old the tags may be by which devices are exposed."""


@dataclass(frozen=True, slots=True)
class TagsRead:
    """The tags that devices had when they were read.

    Args:
        wanted: which tags of which family's devices were read, as (family, tag).
        of_devices: the tags of each device that had any of these, by its public name.
        at: seconds since 1970.
    """

    wanted: frozenset[tuple[str, str]] = frozenset()
    of_devices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    at: float = 0.0

    def serve(self, wanted: frozenset[tuple[str, str]], now: float) -> bool:
        """Whether they are what is wanted, and new enough; after the clock was set back they are not."""
        return wanted == self.wanted and (not wanted or 0 <= now - self.at < TAGS_SECONDS)


def tags_wanted(exposures: Iterable[Exposure]) -> frozenset[tuple[str, str]]:
    """The tags that have to be known to tell who is exposed, as (family, tag)."""
    return frozenset((one.family, tag) for one in exposures for reach in one.reaches for tag in reach.tags)


class Exposed:
    """The exposures of a moment, one a family at most. Others take their place as a whole.

    Args:
        tags: of devices by their public names, as far as a reach names them.
    """

    def __init__(self, exposures: Iterable[Exposure], tags: Mapping[str, frozenset[str]]) -> None:
        self._by_family = {exposure.family: exposure for exposure in exposures}
        self._tags = tags
        self._known: dict[str, Assignment | None] = {}

    def target(self, family: str, device_id: str) -> Assignment | None:
        """What a rollout leads a device of a family to; None of one that is not exposed.

        Args:
            device_id: as the device is publicly known.
        """
        exposure = self._by_family.get(family)
        if exposure is None:
            return None
        if device_id not in self._known:
            is_exposed = exposure.includes(device_id, self._tags.get(device_id, frozenset()))
            self._known[device_id] = exposure.assignment if is_exposed else None
        return self._known[device_id]

    @property
    def families(self) -> Set[str]:
        """The families that have a rollout."""
        return self._by_family.keys()

    def exposure(self, family: str) -> Exposure | None:
        """The active rollout of a family; None: it has none."""
        return self._by_family.get(family)

    def of_family(self, family: str) -> Assignment | None:
        """What a rollout leads devices of a family to, whether any is exposed or not; None: the family has none."""
        exposure = self._by_family.get(family)
        return None if exposure is None else exposure.assignment

    def without(self, family: str) -> "Exposed":
        """The same without a family, whose rollout is over."""
        return Exposed((one for one in self._by_family.values() if one.family != family), self._tags)

    def followed_by(self, exposures: Iterable[Exposure], tags: Mapping[str, frozenset[str]]) -> "Exposed":
        """What holds now; where that is the same, these with all that was worked out."""
        after = Exposed(exposures, tags)
        is_same = after._by_family == self._by_family and after._tags == self._tags
        return self if is_same else after
