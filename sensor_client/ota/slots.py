"""Two slots on disk: the bundle in use and the one before, switched by renaming a symbolic link."""

from pathlib import Path

from sensor_client.logs import get_logger
from shared import durable
from shared.bundle import Bundle, BundleError

SLOTS = ("a.json", "b.json")
LINK = "active"

_log = get_logger(__name__)


class Slots:
    """A power cut at any moment leaves the old bundle active or the new one, each of them whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def active(self) -> Bundle | None:
        """The bundle in use. Where it is damaged, the other slot's; None where neither slot has a good one."""
        return self._load(self._slot_in_use())

    def previous(self) -> Bundle | None:
        """The bundle in the slot that is not in use."""
        return self._load(self._free_slot())

    def is_whole(self) -> bool:
        """Whether the link points at a good bundle."""
        return self._load(self._linked_slot()) is not None

    def contents(self) -> list[bytes]:
        """The bytes of both slots, good or not; of a slot that cannot be read, none."""
        return [data for data in map(self._bytes, SLOTS) if data]

    def install(self, bundle: Bundle) -> None:
        """Write to the free slot, then make it the active one.

        Raises:
            OSError: the disk is full or broken; the active bundle is as before.
        """
        durable.make_directory(self._directory)
        slot = self._free_slot()
        durable.write_file(self._directory / slot, bundle.to_bytes())
        durable.point_link(self._directory / LINK, slot)

    def roll_back(self) -> Bundle:
        """Make the other slot the active one, and return its bundle.

        Raises:
            OSError: there is no good bundle in it, or the disk is broken; the active bundle is as before.
        """
        slot = self._free_slot()
        bundle = self._load(slot)
        if bundle is None:
            raise FileNotFoundError(self._directory / slot)
        durable.point_link(self._directory / LINK, slot)
        return bundle

    def heal(self, active: Bundle, previous: Bundle | None) -> bool:
        """Write anew whatever differs from what is known to belong there; return whether anything did.

        Raises:
            OSError: the disk is full or broken; what was good is as before.
        """
        durable.make_directory(self._directory)
        slot = self._slot_with(active.to_bytes())
        wanted = {slot: active, _beside(slot): previous}
        damaged = [name for name, bundle in wanted.items() if bundle and self._bytes(name) != bundle.to_bytes()]
        is_astray = self._linked_slot() != slot
        for name in damaged:
            bundle = wanted[name]
            assert bundle is not None
            durable.write_file(self._directory / name, bundle.to_bytes())
        if is_astray:
            durable.point_link(self._directory / LINK, slot)
        if damaged or is_astray:
            _log.warning("slots-healed", slots=damaged, is_link_healed=is_astray)
        return bool(damaged) or is_astray

    def _slot_with(self, data: bytes) -> str:
        """Where these bytes lie, or are to lie: not over the other bundle, if there is a choice."""
        linked = self._linked_slot()
        for slot in sorted(SLOTS, key=lambda slot: slot != linked):
            if self._bytes(slot) == data:
                return slot
        return linked if linked in SLOTS else SLOTS[0]

    def _slot_in_use(self) -> str:
        """The slot that the link names, or the other one where that is damaged; "" where neither is good."""
        linked = self._linked_slot()
        candidates = sorted(SLOTS, key=lambda slot: slot != linked)
        return next((slot for slot in candidates if self._load(slot) is not None), "")

    def _free_slot(self) -> str:
        return _beside(self._slot_in_use())

    def _linked_slot(self) -> str:
        try:
            return (self._directory / LINK).readlink().name
        except OSError:
            return ""

    def _bytes(self, slot: str) -> bytes:
        return durable.bytes_of(self._directory / slot) if slot in SLOTS else b""

    def _load(self, slot: str) -> Bundle | None:
        if slot not in SLOTS:
            return None
        try:
            bundle = Bundle.from_bytes((self._directory / slot).read_bytes())
            bundle.require_supported()  # a later version of the program may have put it there
        except FileNotFoundError:
            return None
        except (OSError, BundleError) as error:
            _log.error("slot-damaged", slot=slot, reason=str(error))
            return None
        return bundle


def _beside(slot: str) -> str:
    return SLOTS[1] if slot == SLOTS[0] else SLOTS[0]
