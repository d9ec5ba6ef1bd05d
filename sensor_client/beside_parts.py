"""What works beside capture and uploads in a running sensor, put together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sensor_client.clock import Clock
from sensor_client.device_channel import DeviceChannel
from sensor_client.diagnostic_files import diagnostic_files, secrets_of
from sensor_client.diagnostics import DiagnosticsSender
from sensor_client.heartbeat import SelfDescription
from sensor_client.label_reporter import LabelReporter
from sensor_client.membership import Membership
from sensor_client.policies import Requests
from sensor_client.remote_settings import RemoteLimits
from sensor_client.signals import Signals
from sensor_client.source_record import SourceRecorder
from sensor_client.spool import Spool
from sensor_client.state_directory import StateDirectory


@dataclass(frozen=True)
class BesideParts:
    """What these works share with others.

    Args:
        configuration: the settings of the program, by name.
        told: the device in the words of a heartbeat.
        requests: where pictures are asked for.
    """

    state: StateDirectory
    configuration: Mapping[str, str]
    remote: RemoteLimits
    spool: Spool
    channel: DeviceChannel
    told: SelfDescription
    membership: Membership
    requests: Requests
    recorder: SourceRecorder

    def works(self, clock: Clock, random: Callable[[], float], signals: Signals) -> Mapping[str, Callable[[], None]]:
        """The works by name; each is a thread's, and ends once a stop is asked for."""
        labels = LabelReporter(spool=self.spool, channel=self.channel, clock=clock, random=random, signals=signals)
        asked = DiagnosticsSender(
            channel=self.channel,
            files=lambda: diagnostic_files(self.state, self.configuration, self.told.heartbeat(), clock),
            ask_picture=self._ask_picture,
            secrets=lambda: secrets_of(self.state, self.membership.enrolment()),
            clock=clock,
            random=random,
            signals=signals,
        )
        return {
            "labels": labels.run,
            "membership": self.membership.run,
            "diagnostics": asked.run,
            "source-record": self.recorder.run,
        }

    def _ask_picture(self) -> None:
        if self.remote.is_allowed:  # otherwise nobody decides from afar when this camera looks
            self.requests.ask()
