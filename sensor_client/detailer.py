"""Makes details beside frames: a finer look at the middle. Whatever goes wrong costs the detail, and nothing else."""

import hashlib

from sensor_client.clock import Clock
from sensor_client.frame_maker import FrameMaker, Prepared
from sensor_client.logs import get_logger
from sensor_client.policies import Allowance, CaptureOrders
from sensor_client.signals import Signals
from sensor_client.spool import Probe, Spool, SpoolError
from shared.jpeg import Stream
from shared.wire import Kind

_log = get_logger(__name__)


def is_detailed(device_id: str, sequence: int, share: float) -> bool:
    """Whether the frame with this number gets a detail: by a hash, so that a restart changes nothing."""
    digest = hashlib.sha256(f"{device_id}.detail.{sequence}".encode()).digest()
    return int.from_bytes(digest[:7]) < share * 2**56


class Detailer:
    """Encodes the middle of what a frame shows once more, at twice the scale. The camera's thread calls."""

    def __init__(self, *, device_id: str, spool: Spool, clock: Clock, signals: Signals, stream: Stream) -> None:
        self._device_id = device_id
        self._spool = spool
        self._clock = clock
        self._signals = signals
        self._stream = stream
        self._allowance = Allowance(clock.monotonic_seconds())
        self._maker: FrameMaker | None = None

    def detail_of(self, prepared: Prepared, orders: CaptureOrders) -> Probe | None:
        """The detail to go with the next frame into the spool; None for most frames.

        Args:
            prepared: what the frame was made of.
        """
        try:
            detail = self._made(prepared) if self._is_due(orders.detail_share) else None
        except Exception as error:  # noqa: BLE001 - the frame goes on
            self._maker = None
            _log.warning("detail-failed", reason=f"{type(error).__name__}: {error}"[:500])
            return None
        at_seconds = self._clock.monotonic_seconds()
        if detail is None or not self._allowance.take(len(detail.body), orders.detail_bytes_per_hour, at_seconds):
            return None
        return detail

    def _made(self, prepared: Prepared) -> Probe | None:
        picture = prepared.closer()
        if picture is None:
            return None
        bundle = prepared.bundle
        if self._maker is None or self._maker.bundle is not bundle:
            self._maker = FrameMaker(bundle)
        body = self._maker.frame(picture, self._stream)
        is_abbreviated = self._stream is Stream.ABBREVIATED
        tables = (bundle.tables.tables_id, bundle.tables.to_stream()) if is_abbreviated else None
        return Probe(body=body, target=bundle.target_path, tables=tables, kind=Kind.DETAIL)

    def _is_due(self, share: float) -> bool:
        if not share or self._signals.probes_unwanted.is_set():
            return False
        try:
            chosen = is_detailed(self._device_id, self._spool.next_sequence(), share)
            return chosen and self._spool.has_room_to_spare()
        except SpoolError:  # the frame meets it, too, and waits until it is over
            return False
