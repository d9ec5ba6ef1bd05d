"""The state of a device, read from its directory, also while `run` works there."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sensor_client.ota import RefusedOffer, Slots, UpdateStateFile
from sensor_client.spool import Counters, Depth, Spool, SpoolLimits, UnreadablePicture
from sensor_client.state_directory import StateDirectory, StateError
from shared.bundle import Bundle


class Status(BaseModel):
    """Everything that `dctwire-sensor status` prints; byte counts are of JPEG streams, without HTTP."""

    model_config = ConfigDict(frozen=True)

    server_url: str | None
    device_id: str | None
    family: str | None
    active_bundle: str | None
    previous_bundle: str | None
    tables_id: str | None
    assignment_seq: int
    bundles_activated: int
    bundles_refused: int
    last_refused: RefusedOffer | None
    spooled_frames: int
    spooled_bytes: int
    waiting_labels: int
    dead_letters: int
    counters: dict[str, int]
    unreadable_pictures: tuple[UnreadablePicture, ...]


def read_status(state: StateDirectory) -> Status:
    """Read the state of the device; nothing is changed.

    Raises:
        StateError, SpoolError: a file is damaged.
    """
    if not state.path.is_dir():
        raise StateError(f"{state.path} does not exist")
    identity = state.identity()
    slots = Slots(state.slots)
    active, previous = slots.active(), slots.previous()
    updates = UpdateStateFile(state.update_state_file).load()
    depth, counters, unreadable = _look_into(state.spool_file)
    return Status(
        server_url=None if identity is None else identity.server_url,
        device_id=None if identity is None else identity.enrolment.device_id,
        family=None if identity is None else identity.enrolment.family,
        active_bundle=_name(active),
        previous_bundle=_name(previous),
        tables_id=None if active is None else active.tables.tables_id,
        assignment_seq=updates.seq,
        bundles_activated=updates.activations,
        bundles_refused=updates.refusals,
        last_refused=updates.last_refused,
        spooled_frames=depth.frames,
        spooled_bytes=depth.frame_bytes,
        waiting_labels=depth.labels,
        dead_letters=depth.dead_letters,
        counters=vars(counters),
        unreadable_pictures=tuple(unreadable),
    )


def _look_into(spool_file: Path) -> tuple[Depth, Counters, list[UnreadablePicture]]:
    if not spool_file.exists() or spool_file.stat().st_size == 0:
        return Depth(frames=0, frame_bytes=0, labels=0, dead_letters=0), Counters(), []
    spool = Spool(spool_file, SpoolLimits())
    try:
        return spool.depth(), spool.counters(), spool.unreadable()
    finally:
        spool.close()


def _name(bundle: Bundle | None) -> str | None:
    return None if bundle is None else bundle.name
