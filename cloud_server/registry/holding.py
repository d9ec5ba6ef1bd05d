"""At which bundle a single device is held: told in the transaction that holds it, with the family's list locked.

So no list that is published at the same moment drops the bundle, or takes it below the floor, unseen.
"""

from collections.abc import Iterator

from cloud_server.fleet.devices import Device
from cloud_server.registry.keeping import require_room_to_hold
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows.assignments import HoldKind, counter_of_label, held, held_counters, last_assigned
from shared.bundle import Bundle


def hold_at(transaction: Transaction, signed_files: SignedFiles, device: Device, kind: HoldKind, bundle: Bundle) -> int:
    """The counter of a bundle at which a device may be held.

    Raises:
        NotListedError, BelowFloorError: as `SignedFiles.require_listed` says.
        ConflictError: devices of the family are held at too many other bundles.
    """
    signed_files.require_listed(transaction, bundle)
    _require_room(transaction, device, kind, bundle.counter)
    return bundle.counter


def stay_at(transaction: Transaction, signed_files: SignedFiles, device: Device) -> int | None:
    """The counter of the bundle at which a device stays that is put into quarantine.

    That is the one at which its quarantine holds it already; else the one that it sent last, or else the one that it
    should run, if the family's list has it at or above the floor; None where none of these is.

    Raises:
        ConflictError: devices of the family are held at too many other bundles.
    """
    listed, floor = signed_files.locked_list(transaction, device.family)
    earlier = held(transaction, device.row_id, HoldKind.QUARANTINE)
    if earlier is not None and earlier.counter is not None:
        return earlier.counter
    for counter in _runs_or_should(transaction, device):
        if counter >= floor and f"{device.family}/{counter}.json" in listed:
            _require_room(transaction, device, HoldKind.QUARANTINE, counter)
            return counter
    return None


def _runs_or_should(transaction: Transaction, device: Device) -> Iterator[int]:
    sent = counter_of_label(device.last_tables)
    if sent is not None:
        yield sent
    pin = held(transaction, device.row_id, HoldKind.PIN)
    if pin is None:
        yield from last_assigned(transaction, device.family, 1)
    elif pin.counter is not None:
        yield pin.counter


def _require_room(transaction: Transaction, device: Device, kind: HoldKind, counter: int) -> None:
    before = held(transaction, device.row_id, kind)
    if before is None or before.counter != counter:
        others = held_counters(transaction, device.family, but=(device.row_id, kind))
        require_room_to_hold(device.family, counter, others)
