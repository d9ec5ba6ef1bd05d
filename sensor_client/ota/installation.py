"""What is installed on this device: two slots and a record on disk, and the bundle that the camera uses."""

from sensor_client.active_bundle import ActiveBundle
from sensor_client.logs import get_logger
from sensor_client.ota.slots import Slots
from sensor_client.ota.states import Action, Activate, Fetch, Install, Postpone, RollBack, Save
from sensor_client.ota.update_state import UpdateState, UpdateStateFile
from sensor_client.probing import is_pair
from shared.bundle import Bundle

_log = get_logger(__name__)


class Installation:
    """Carries out what the update rules ask for. Only the updater's thread calls it.

    What is in use is known here beside the disk, so that slots which are damaged later can be written anew.
    """

    def __init__(self, slots: Slots, record: UpdateStateFile, active: ActiveBundle) -> None:
        self._slots = slots
        self._record = record
        self._camera = active
        self._active: Bundle | None = None
        self._other: Bundle | None = None

    @property
    def target(self) -> str | None:
        """Of the bundle in use; None before the first."""
        return None if self._active is None else self._active.target_path

    def load(self) -> tuple[UpdateState, Bundle | None, Bundle | None]:
        """The record, the bundle in use and the one in the other slot, read from disk."""
        self._active, self._other = self._slots.active(), self._slots.previous()
        return self._record.load(), self._active, self._other

    def is_whole(self) -> bool:
        """Whether record and slots say undamaged which bundle is in use."""
        return self._slots.is_whole() and self._record.load().seq != 0

    def known(self) -> list[bytes]:
        """Bytes that lie here and may be a bundle that is wanted."""
        return self._slots.contents()

    def hand_over(self) -> None:
        """Let the camera use the bundle in use, if there is one."""
        if self._active is not None and self._active != self._camera.bundle:
            self._camera.replace(self._active)

    def compare(self, *, may_be_probed: bool) -> None:
        """Let the camera make probes with the bundle in the other slot, where it may and can; else with none."""
        active, other = self._active, self._other
        can_be_probed = active is not None and other is not None and is_pair(active, other)
        self._camera.compare_with(other if may_be_probed and can_be_probed else None)

    def heal(self) -> None:
        """Write slots and link anew where they are not what they should be.

        Raises:
            OSError: the disk is full or broken.
        """
        if self._active is not None:
            self._slots.heal(self._active, self._other)

    def carry_out(self, action: Action, kept: UpdateState, offered: Bundle | None) -> None:
        """Carry out one action; what needs the line is the updater's.

        Args:
            kept: what is to be saved.
            offered: the verified bundle to install.

        Raises:
            OSError: the disk would not take it; what is in use is as before.
        """
        if isinstance(action, Install | RollBack):
            self.heal()  # which slot is free is read from disk
        match action:
            case Install():
                assert offered is not None, "only a verified bundle is installed"
                self._slots.install(offered)
                self._active, self._other = offered, self._active
            case RollBack():
                bundle = self._slots.roll_back()
                self._active, self._other = bundle, self._active
            case Save():
                self._record.save(kept)
            case Activate():
                assert self._active is not None, "a slot was switched to before"
                self._camera.replace(self._active)
                _log.info("bundle-activated", bundle=self._active.name, seq=kept.seq)
            case Fetch() | Postpone():
                pass
