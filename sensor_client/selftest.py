"""Whether a device can do what it is there for: encode as its tables promise, take a picture, and keep a frame.

Nothing is changed, and `run` may work meanwhile.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sensor_client.findings import Finding, bad, guarded, ok, warn
from sensor_client.ota import Slots
from sensor_client.sources import Camera, SourceError
from sensor_client.spool import Spool, SpoolLimits
from sensor_client.state_directory import StateDirectory
from shared.errors import DctwireError

CAMERA_SECONDS = 20.0
FRAME = b"\xff\xd8 a frame of the self-test \xff\xd9"


def try_out(state: StateDirectory, camera: Callable[[], Camera] | None) -> Iterator[Finding]:
    """Try encoder, spool and camera.

    Args:
        camera: opens the source; None where none was named.
    """
    yield guarded(
        "encoder", lambda: encoder(state), "Use one version of dctwire here and where the tables were exported"
    )
    yield guarded("spool", lambda: spool(state), "Make room, or see whether the disk is broken: dmesg")
    if camera is None:
        yield warn("camera", "no source was named", "Give --source, or source in the configuration file")
    else:
        opened = camera
        yield guarded(
            "camera", lambda: picture(opened), "See whether the camera is there, and whether `run` has it open"
        )


def encoder(state: StateDirectory) -> Finding:
    """Encode the self-test of the tables in use, and compare the bytes with what these promise."""
    bundle = Slots(state.slots).active()
    if bundle is None:
        return warn("encoder", "there are no tables yet", "dctwire-sensor run fetches them")
    bundle.check_selftest()
    return ok("encoder", f"{bundle.name} encodes here to the bytes that it promises")


def spool(state: StateDirectory) -> Finding:
    """Write a frame into a spool beside the real one, on the same disk, and read it back."""
    with tempfile.TemporaryDirectory(prefix=".selftest-", dir=state.path) as folder:
        trial = Spool(Path(folder) / "spool.sqlite3", SpoolLimits())
        with closing(trial):
            trial.append(FRAME, 0)
            read = [frame.body for frame in trial.oldest(2)]
            trial.acknowledge([1])
            left = trial.depth().frames
    if read != [FRAME] or left:
        return bad("spool", "what was written is not what is read", "See whether the disk is broken: dmesg")
    return ok("spool", "a frame was written to the disk, read and let go")


def picture(open_camera: Callable[[], Camera]) -> Finding:
    """Take one picture, within a time: a driver may hang."""
    sizes: list[tuple[int, ...]] = []
    faults: list[Exception] = []
    stop = threading.Event()

    def take() -> None:
        try:
            with closing(open_camera().shots(stop)) as shots:
                sizes.extend(shot.pixels().shape for shot in (next(shots, None),) if shot is not None)
        except (DctwireError, OSError) as error:
            faults.append(error)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(CAMERA_SECONDS)
    stop.set()
    if faults:
        raise faults[0]
    if not sizes:
        raise SourceError(f"no picture came within {CAMERA_SECONDS:.0f} s")
    height, width = sizes[0][:2]
    return ok("camera", f"a picture of {width} x {height} was taken")
