"""Makes details beside frames: their pictures at a fine quality. What goes wrong costs the detail, and nothing else."""

import hashlib

from sensor_client.clock import Clock
from sensor_client.frame_maker import FrameMaker, Prepared
from sensor_client.logs import get_logger
from sensor_client.policies import Allowance, CaptureOrders
from sensor_client.signals import Signals
from sensor_client.spool import Probe, Spool, SpoolError
from shared.bundle import Bundle, Encoding
from shared.jpeg import Stream, TableSet
from shared.wire import Kind

_log = get_logger(__name__)


def is_detailed(device_id: str, sequence: int, share: float) -> bool:
    """Whether the frame with this number gets a detail: by a hash, so that a restart changes nothing."""
    digest = hashlib.sha256(f"{device_id}.detail.{sequence}".encode()).digest()
    return int.from_bytes(digest[:7]) < share * 2**56


class Detailer:
    """Encodes what a frame shows once more, as ordinary JPEG of the orders' quality. The camera's thread calls.

    A frame is coded with tables that a trainer chose: nobody can learn from it what finer steps would have shown. Its
    detail has annex K's steps, rounds to the nearest and drops nothing, so tables can be learned from it. It brings its
    tables along: no server need know them, and details that share a batch share them.
    """

    def __init__(self, *, device_id: str, spool: Spool, clock: Clock, signals: Signals) -> None:
        self._device_id = device_id
        self._spool = spool
        self._clock = clock
        self._signals = signals
        self._allowance = Allowance(clock.monotonic_seconds())
        self._maker: FrameMaker | None = None
        self._quality = 0

    def detail_of(self, prepared: Prepared, orders: CaptureOrders) -> Probe | None:
        """The detail to go with the next frame into the spool; None for most frames.

        Args:
            prepared: what the frame was made of.
        """
        try:
            detail = self._made(prepared, orders.detail_quality) if self._is_due(orders.detail_share) else None
        except Exception as error:  # noqa: BLE001 - the frame goes on
            self._maker = None
            _log.warning("detail-failed", reason=f"{type(error).__name__}: {error}"[:500])
            return None
        at_seconds = self._clock.monotonic_seconds()
        if detail is None or not self._allowance.take(len(detail.body), orders.detail_bytes_per_hour, at_seconds):
            return None
        return detail

    def _made(self, prepared: Prepared, quality: int) -> Probe:
        body = self._maker_of(prepared.bundle, quality).frame(prepared.picture, Stream.INTERCHANGE)
        return Probe(body=body, target=prepared.bundle.target_path, tables=None, kind=Kind.DETAIL)

    def _maker_of(self, bundle: Bundle, quality: int) -> FrameMaker:
        if self._maker is None or self._maker.bundle is not bundle or self._quality != quality:
            self._maker, self._quality = FrameMaker(bundle, Encoding(TableSet.standard(quality))), quality
        return self._maker

    def _is_due(self, share: float) -> bool:
        if not share or self._signals.probes_unwanted.is_set():
            return False
        try:
            chosen = is_detailed(self._device_id, self._spool.next_sequence(), share)
            return chosen and self._spool.has_room_to_spare()
        except SpoolError:  # the frame meets it, too, and waits until it is over
            return False
