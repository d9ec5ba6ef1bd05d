"""Two slots on disk: the bundle in use and the one before, switched by renaming a symbolic link."""

from pathlib import Path

import structlog

from sensor_client import durable
from shared.bundle import Bundle, BundleError

SLOTS = ("a.json", "b.json")
LINK = "active"

_log = structlog.get_logger(__name__)


class Slots:
    """A power cut at any moment leaves the old bundle active or the new one, each of them whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def active(self) -> Bundle | None:
        """The bundle in use. Where it is damaged, the other slot's; None where neither slot has a good one."""
        for slot in sorted(SLOTS, key=lambda slot: slot != self._active_slot()):
            bundle = self._load(slot)
            if bundle is not None:
                return bundle
        return None

    def previous(self) -> Bundle | None:
        """The bundle in the slot that is not in use."""
        return self._load(self._free_slot())

    def install(self, bundle: Bundle) -> None:
        """Write to the free slot, then make it the active one.

        Raises:
            OSError: the disk is full or broken; the active bundle is as before.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
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

    def _active_slot(self) -> str:
        try:
            return (self._directory / LINK).readlink().name
        except OSError:
            return ""

    def _free_slot(self) -> str:
        return SLOTS[1] if self._active_slot() == SLOTS[0] else SLOTS[0]

    def _load(self, slot: str) -> Bundle | None:
        try:
            bundle = Bundle.from_bytes((self._directory / slot).read_bytes())
            bundle.require_supported()  # a later version of the program may have put it there
        except FileNotFoundError:
            return None
        except (OSError, BundleError) as error:
            _log.error("slot-damaged", slot=slot, reason=str(error))
            return None
        return bundle
