"""`--dry-run`: pictures are taken and encoded as they would be, and what would be sent is told instead of sent.

Neither the spool nor the server is touched, nor what a source remembers: `run` may work meanwhile, where the camera
lets two programs in.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sensor_client.active_bundle import ActiveBundle
from sensor_client.camera_parts import CameraParts
from sensor_client.encode_times import EncodeTimes
from sensor_client.ota import Evidence, Slots
from sensor_client.parts import RunSettings, Surroundings
from sensor_client.policies import HeldCaptureOrders, Requests
from sensor_client.signals import Signals
from sensor_client.spool import Counters, Spool
from sensor_client.state_directory import Identity, StateError
from sensor_client.trust_process import TrustProcess
from shared.errors import ChannelError

FRAMES_AT_ONCE = 100
LOOK_SECONDS = 0.2


def rehearse(settings: RunSettings, around: Surroundings, tell: Callable[[str], None], signals: Signals) -> None:
    """Take pictures until the camera has no more, the count is reached or a stop is asked for; tell of each frame.

    Raises:
        StateError: the device is not enrolled, or has no tables yet.
        SourceError: from the camera.
    """
    identity, bundle = settings.state.identity(), Slots(settings.state.slots).active()
    if identity is None or bundle is None:
        raise StateError(f"{settings.state.path} has no tables yet: `dctwire-sensor run` fetches them")
    active = ActiveBundle(bundle)
    with tempfile.TemporaryDirectory() as folder, closing(Spool(Path(folder) / "spool", settings.limits)) as spool:
        works = _works(settings, around, identity, active)
        orders = HeldCaptureOrders(settings.orders)
        capture = works.capture(around.clock, around.random, spool, orders, Requests(), signals)
        faults: list[Exception] = []
        taking = threading.Thread(target=_taken, args=(capture.run, faults), name="capture", daemon=True)
        taking.start()
        while _tell_of(spool, tell) or taking.is_alive():
            taking.join(LOOK_SECONDS)
        tell(_sum(spool.counters()))
    if faults:
        raise faults[0]


def _works(settings: RunSettings, around: Surroundings, identity: Identity, active: ActiveBundle) -> CameraParts:
    def fetches_nothing(path: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
        raise ChannelError(f"{path} is not fetched in a rehearsal")

    root, family = settings.state.root(), identity.enrolment.family
    trust = TrustProcess(settings.state.trust, root, fetches_nothing, family, around.clock)
    times, witness, device = EncodeTimes(around.clock), Evidence(lambda: None), identity.enrolment.device_id
    return CameraParts(device, settings.camera, settings.capture, False, active, times, witness, trust)


def _taken(take: Callable[[], None], faults: list[Exception]) -> None:
    try:
        take()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the frames are told of
        faults.append(error)


def _tell_of(spool: Spool, tell: Callable[[str], None]) -> bool:
    """Tell of some frames, and let them go; return whether there were any."""
    frames = spool.oldest(FRAMES_AT_ONCE)
    for frame in frames:
        label = "" if frame.label is None else f", label {frame.label}"
        tell(
            f"frame {frame.sequence}: {len(frame.body)} bytes with {frame.target}, {frame.priority.name.lower()}{label}"
        )
    spool.acknowledge([frame.sequence for frame in frames])
    return bool(frames)


def _sum(counters: Counters) -> str:
    mean = counters.encoded_bytes / max(1, counters.encoded)
    return (
        f"{counters.captured} pictures: {counters.encoded} frames of {counters.encoded_bytes} bytes (mean {mean:.1f}), "
        f"{counters.unchanged} unchanged, {counters.unreadable} unreadable; nothing was sent"
    )
