"""The camera's part of a running sensor, put together."""

from collections.abc import Callable
from dataclasses import dataclass

from sensor_client.active_bundle import ActiveBundle
from sensor_client.capture import Capture, CaptureSettings, EncoderWitness
from sensor_client.clock import Clock
from sensor_client.encode_times import EncodeTimes
from sensor_client.logs import get_logger
from sensor_client.policies import HeldCaptureOrders, Requests
from sensor_client.prober import Prober
from sensor_client.signals import Signals
from sensor_client.sources import Camera
from sensor_client.spool import Spool
from sensor_client.trust_process import TrustProcess
from shared.errors import ChannelError

_log = get_logger(__name__)


@dataclass(frozen=True)
class CameraParts:
    """What the camera's thread works with, beside what it shares with others; see `Capture`."""

    device_id: str
    camera: Camera
    settings: CaptureSettings
    makes_probes: bool
    active: ActiveBundle
    times: EncodeTimes
    witness: EncoderWitness
    trust: TrustProcess

    def capture(
        self,
        clock: Clock,
        random: Callable[[], float],
        spool: Spool,
        orders: HeldCaptureOrders,
        requests: Requests,
        signals: Signals,
    ) -> Capture:
        """The work of the camera's thread."""
        return Capture(
            device_id=self.device_id,
            camera=self.camera,
            active=self.active,
            spool=spool,
            times=self.times,
            witness=self.witness,
            prober=self._prober(spool, signals) if self.makes_probes else None,
            clock=clock,
            random=random,
            signals=signals,
            orders=orders,
            requests=requests,
            time_floor=self._time_floor,
            settings=self.settings,
        )

    def _prober(self, spool: Spool, signals: Signals) -> Prober:
        stream = self.settings.stream
        return Prober(device_id=self.device_id, active=self.active, spool=spool, signals=signals, stream=stream)

    def _time_floor(self) -> float:
        try:
            return self.trust.standing().time_floor.timestamp()
        except (ChannelError, OSError) as error:  # nothing is certain then
            _log.warning("trust-not-read", reason=str(error))
            return 0.0
