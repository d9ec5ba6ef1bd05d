"""The three planes that a server listens on: what each one serves of the parts, and where."""

from collections.abc import Callable
from functools import partial
from ssl import SSLContext

from starlette.types import ASGIApp

from cloud_server.api.device.plane import device_plane
from cloud_server.api.device.uploads import BodyLimits
from cloud_server.api.http.bodies import read_body
from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.client_address import TrustedProxies
from cloud_server.api.http.connection_places import ConnectionPlaces
from cloud_server.api.http.exchange import Exchange
from cloud_server.api.http.hosts import HostNames
from cloud_server.api.http.limits import HttpLimits
from cloud_server.api.http.problems import Problems
from cloud_server.api.http.protocol import MADE_ROOM, TURNED_AWAY
from cloud_server.api.http.request_id import request_id_of
from cloud_server.api.http.tls_door import NO_TLS
from cloud_server.api.operator.plane import OperatorLimits, Trainings, operator_plane
from cloud_server.api.ops.plane import Gauges, ops_plane
from cloud_server.certificates import Certificate
from cloud_server.console.device import DeviceParts
from cloud_server.console.door import Transport
from cloud_server.console.plane import ConsoleParts, beside, console_app
from cloud_server.console.situation import Situation
from cloud_server.console.stream import LiveParts
from cloud_server.console.versions import VersionParts
from cloud_server.errors import ListenError
from cloud_server.feedback.device_record import DeviceRecords
from cloud_server.health import Health
from cloud_server.listeners import Listener, ListenerSettings
from cloud_server.parts import Clocks, Parts
from cloud_server.registry.measured import Measurements
from cloud_server.settings import ServerSettings
from cloud_server.trainings.following import Following
from cloud_server.trainings.runs import Runs
from cloud_server.trainings.signals import Signals
from shared.wire import Plane


class Planes:
    """The device, the operator and the ops plane of one server process, each bound to its address, none started.

    Raises:
        ListenError: an address cannot be had.
    """

    def __init__(
        self,
        settings: ServerSettings,
        parts: Parts,
        health: Health,
        certificate: Certificate | None,
        gauges: Gauges,
        clocks: Clocks,
    ) -> None:
        self._clocks = clocks
        self._settings = settings
        self._parts = parts
        self._health = health
        self._certificate = certificate
        self._bodies = BodyMemory(settings.bodies_max_bytes)
        self._live = LiveParts()
        self.situation = self._situation()
        self._trainings = self._record_of_trainings()
        self.following = Following(parts.database, parts.metrics)
        self.device = self._device_listener()
        self.operator = self._operator_listener()
        self.ops = self._ops_listener(gauges)

    def addresses(self) -> dict[str, str]:
        """Where each plane listens."""
        return {"device": self.device.address, "operator": self.operator.address, "ops": self.ops.address}

    def open(self) -> dict[str, bool]:
        """Of the device and the operator plane, whether all who pass between can read and change what is said there."""
        planes = {"device": self.device, "operator": self.operator}
        return {name: plane.is_open and not self._settings.behind_proxy for name, plane in planes.items()}

    def open_at(self) -> dict[str, str]:
        """Where those planes are bound of which `open` says so."""
        planes = {"device": self.device, "operator": self.operator}
        return {name: planes[name].bound for name, is_open in self.open().items() if is_open}

    async def announce_leaving(self) -> None:
        """Tell those who are connected that each answer is their connection's last; what never ends by itself ends."""
        for listener in (self.device, self.operator):
            listener.announce_leaving()
        await self._live.leave()

    def force_stop(self) -> None:
        """Cut off what is not answered yet."""
        for listener in (self.device, self.operator, self.ops):
            listener.force_stop()

    def _device_listener(self) -> Listener:
        settings = self._settings
        limits = BodyLimits(
            frame_max_bytes=settings.frame_max_bytes,
            batch_max_bytes=settings.batch_max_bytes,
            max_seconds=settings.body_max_seconds,
        )
        plane = device_plane(
            ingest=self._parts.ingest,
            devices=self._parts.devices,
            assignments=self._parts.assignments,
            settings=self._parts.settings_in_effect,
            diagnostics=self._parts.diagnostics,
            heartbeats=self._parts.heartbeats,
            clones=self._parts.clones,
            labels=self._parts.labels,
            tuf_files=self._parts.tuf_files,
            metrics=self._parts.metrics,
            rollout_counts=self._parts.rollout_counts,
            admission=self._parts.admission,
            limits=limits,
            versions=self._parts.catalogue.counters,
            health=self._health,
            proxies=TrustedProxies.parse(settings.trusted_proxies),
        )
        return _listening(
            "device",
            self._at(
                settings.device_host,
                settings.device_port,
                HostNames(settings.device_hosts, "device_hosts"),
                is_tls=self._certificate is not None,
            ),
            partial(Listener, plane, meter=self._meter),
        )

    def _operator_listener(self) -> Listener:
        settings = self._settings
        is_tls = self._certificate is not None and settings.has_operator_tls
        return _listening(
            "operator",
            self._at(
                settings.operator_host,
                settings.operator_port,
                HostNames(settings.operator_hosts, "operator_hosts"),
                is_tls=is_tls,
            ),
            partial(Listener, beside(self._operator_plane(), self._console(is_tls=is_tls)), meter=_no_meter),
        )

    def _operator_plane(self) -> ASGIApp:
        settings = self._settings
        return operator_plane(
            catalogue=self._parts.catalogue,
            signed_files=self._parts.signed_files,
            publishing=self._parts.publishing,
            releasing=self._parts.releasing,
            configuring=self._parts.configuring,
            models=self._parts.models,
            blobs=self._parts.blobs,
            devices=self._parts.devices,
            listing=self._parts.listing,
            diagnostics=self._parts.diagnostics,
            assignments=self._parts.assignments,
            assigning=self._parts.assigning,
            steering=self._parts.steering,
            trainings=self._trainings,
            tuf_files=self._parts.tuf_files,
            samples=self._parts.samples,
            labels=self._parts.labels,
            reports=self._parts.reports,
            operators=self._parts.operators,
            administration=self._parts.administration,
            logins=self._parts.logins,
            audit=self._parts.audit,
            events=self._parts.events,
            webhooks=self._parts.webhooks,
            replicas=self._parts.replicas,
            metrics=self._parts.metrics,
            limits=OperatorLimits(
                blob_max_bytes=settings.blob_max_bytes,
                blob_idle_seconds=settings.body_max_seconds,
            ),
        )

    def _record_of_trainings(self) -> Trainings:
        parts, now = self._parts, self._clocks.now
        signals = Signals(
            database=parts.database,
            catalogue=parts.catalogue,
            assignments=parts.assignments,
            drift=parts.drift,
            estimates=parts.estimates,
            now=now,
        )
        return Trainings(Runs(parts.database, parts.catalogue, parts.metrics, now), signals)

    def _situation(self) -> Situation:
        """What the overview says is wrong."""
        parts = self._parts
        return Situation(
            database=parts.database,
            metrics=parts.metrics,
            ingest=parts.ingest,
            loader=parts.loader,
            models=parts.models,
            contact=parts.contact,
            devices=parts.devices,
            heartbeats=parts.heartbeats,
            signed_files=parts.signed_files,
            replicas=parts.replicas,
            audit=parts.audit,
            drift=parts.drift,
            estimates=parts.estimates,
            certificate=self._certificate,
            open_planes=self.open_at,
            now=self._clocks.now,
        )

    def _console(self, *, is_tls: bool) -> ASGIApp:
        parts = ConsoleParts(
            sessions=self._parts.sessions,
            logins=self._parts.logins,
            administration=self._parts.administration,
            audit=self._parts.audit,
            live=self._live,
            situation=self.situation,
            daily=self._parts.daily,
            listing=self._parts.listing,
            steering=self._parts.steering,
            catalogue=self._parts.catalogue,
            runs=self._trainings.runs,
            latest_frames=self._parts.latest_frames,
            devices=self._parts.devices,
            samples=self._parts.samples,
            reviewing=self._parts.reviewing,
            fleet=self._fleet_parts(),
            versions=VersionParts(
                versions=self._parts.versions,
                measurements=Measurements(self._parts.database, self._parts.byte_sums.save, self._clocks.now),
                releasing=self._parts.releasing,
            ),
        )
        return console_app(
            parts,
            Transport(is_tls, self._settings.behind_proxy),
            partial(read_body, max_seconds=self._settings.body_max_seconds),
            request_id_of,
            Problems(Plane.OPERATOR).respond,
            self._clocks.now,
        )

    def _fleet_parts(self) -> DeviceParts:
        parts = self._parts
        return DeviceParts(
            listing=parts.listing,
            devices=parts.devices,
            assignments=parts.assignments,
            assigning=parts.assigning,
            diagnostics=parts.diagnostics,
            catalogue=parts.catalogue,
            traffic=parts.traffic,
            records=DeviceRecords(parts.database),
            samples=parts.samples,
        )

    def _ops_listener(self, gauges: Gauges) -> Listener:
        plane = ops_plane(
            metrics=self._parts.metrics,
            health=self._health,
            gauges=gauges,
            require_life=self._require_life,
        )
        return _listening(
            "ops",
            self._at(
                self._settings.ops_host, self._settings.ops_port, HostNames(self._settings.ops_hosts, "ops_hosts")
            ),
            partial(Listener, plane, meter=_no_meter),
        )

    def _at(self, host: str, port: int, names: HostNames, *, is_tls: bool = False) -> ListenerSettings:
        return ListenerSettings(
            host=host,
            port=port,
            http=self._http_limits(names),
            tls=self._context if is_tls else None,
            keep_alive_seconds=self._settings.keep_alive_seconds,
            drain_max_seconds=self._settings.drain_max_seconds,
        )

    def _http_limits(self, names: HostNames) -> HttpLimits:
        return HttpLimits(
            head_max_seconds=self._settings.head_max_seconds,
            write_max_seconds=self._settings.write_max_seconds,
            places=ConnectionPlaces(self._settings.connections_max, self._clocks.monotonic),
            hosts=names,
            bodies=self._bodies,
        )

    def _context(self) -> SSLContext:
        assert self._certificate is not None
        return self._certificate.context

    def _meter(self, exchange: Exchange) -> None:
        if exchange.route == TURNED_AWAY:
            self._parts.metrics.count_refused_connection()
        elif exchange.route == MADE_ROOM:
            self._parts.metrics.count_displaced_request()
        elif exchange.route == NO_TLS:
            self._parts.metrics.count_failed_handshake()
            return
        self._parts.metrics.count_exchange(
            exchange.route, exchange.received_bytes, exchange.sent_bytes, exchange.payload
        )
        payload = exchange.payload
        if payload is None:
            return
        self._parts.traffic.add(payload, exchange.received_bytes, exchange.sent_bytes)
        if payload.is_of_companions:
            return
        if not self._parts.assignments.is_quarantined(payload.device_id):
            self._parts.byte_sums.add(payload, exchange.received_bytes, exchange.sent_bytes)

    def _require_life(self) -> None:
        self._parts.database.require_turning(self._settings.stall_max_seconds)
        self._parts.ingest.require_threads()
        self._parts.loader.require_thread()


def _listening(plane: str, at: ListenerSettings, listen: Callable[[ListenerSettings], Listener]) -> Listener:
    try:
        return listen(at)
    except OSError as error:
        raise ListenError(plane, at.host, at.port, error.strerror or str(error)) from error


def _no_meter(_exchange: Exchange) -> None:
    """Only the device plane's bytes are counted."""
