"""Makes probes beside frames. Whatever goes wrong here costs the probe, and nothing else."""

from sensor_client.active_bundle import ActiveBundle
from sensor_client.frame_maker import FrameMaker, Picture
from sensor_client.logs import get_logger
from sensor_client.probing import is_chosen, is_pair
from sensor_client.signals import Signals
from sensor_client.spool import Probe, Spool, SpoolError
from shared.bundle import Bundle
from shared.jpeg import Stream

_log = get_logger(__name__)


class Prober:
    """Encodes a picture with the tables before those in use, where it is chosen for that. The camera's thread calls."""

    def __init__(self, *, device_id: str, active: ActiveBundle, spool: Spool, signals: Signals, stream: Stream) -> None:
        self._device_id = device_id
        self._active = active
        self._spool = spool
        self._signals = signals
        self._stream = stream
        self._other: Bundle | None = None
        self._maker: FrameMaker | None = None
        self._failed: Bundle | None = None

    def probe_of(self, bundle: Bundle, picture: Picture) -> Probe | None:
        """The probe to go with the next frame into the spool; None for most frames.

        Args:
            bundle: the one that the frame was encoded with.
            picture: what was encoded.
        """
        other = self._active.other
        if other is None or other is self._failed or not is_pair(bundle, other) or not self._is_due():
            return None
        try:
            return self._encoded(other, picture)
        except Exception as error:  # noqa: BLE001 - whatever these tables do to the encoder, the frame goes on
            self._failed, self._maker = other, None
            _log.warning("probe-failed", bundle=other.name, reason=f"{type(error).__name__}: {error}"[:500])
            return None

    def _encoded(self, other: Bundle, picture: Picture) -> Probe:
        body = self._maker_of(other).frame(picture, self._stream)
        is_abbreviated = self._stream is Stream.ABBREVIATED
        tables = (other.tables.tables_id, other.tables.to_stream()) if is_abbreviated else None
        return Probe(body=body, target=other.target_path, tables=tables)

    def _is_due(self) -> bool:
        if self._signals.probes_unwanted.is_set():
            return False
        try:
            return is_chosen(self._device_id, self._spool.next_sequence()) and self._spool.has_room_to_spare()
        except SpoolError:  # the frame meets it, too, and waits until it is over
            return False

    def _maker_of(self, other: Bundle) -> FrameMaker:
        if self._maker is None or other is not self._other:
            self._other, self._maker = other, FrameMaker(other)
        return self._maker
