"""Every metric the server exports. Label sets are closed: families and bundles that were published, routes, codes.

Bytes are counted twice over, for two questions:

- `dctwire_payload_bytes_total` asks what an answered frame costs, by tables and by part. It covers requests in
  which at least one frame was answered; a frame that was sent twice cost its bytes twice. All bytes of requests with
  companions are one part, so that the others over `dctwire_frames_total` stay what a frame costs.
- `dctwire_wire_bytes_total` asks where every byte on the device plane's sockets went, by route.
"""

from collections import Counter as Count
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cloud_server.answered import AnsweredFrames
from cloud_server.classifier_metrics import ClassifierMetrics
from cloud_server.connection_metrics import ConnectionMetrics
from cloud_server.drift_metrics import DriftMetrics
from cloud_server.event_metrics import EventMetrics
from cloud_server.fleet_metrics import FleetMetrics
from cloud_server.quality_metrics import QualityMetrics
from cloud_server.rollout_metrics import RolloutMetrics
from cloud_server.trainer_metrics import TrainerMetrics
from cloud_server.upkeep_metrics import UpkeepMetrics

LABELS_NAMED_MAX = 200
"""A classifier's labels beyond this many are counted together as "other"."""
INTERCHANGE = "interchange"
"""The `tables` label of frames that carry their own tables."""
_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BATCH_FRAMES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Stage(StrEnum):
    """Where time goes: QUEUE of a micro-batch's oldest frame; DECODE, INFER, COMMIT of all of it; TOTAL of a request.

    A request begins with its first byte.
    """

    QUEUE = "queue"
    DECODE = "decode"
    INFER = "infer"
    COMMIT = "commit"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Payload:
    """What the body of an answered request was made of, in bytes; `tables` as in the metric's label.

    `frames` of it were answered, 0 where those were companions; `device_id` is the row of the device that sent it.
    """

    device_id: int
    family: str
    tables: str
    scan_bytes: int
    tables_bytes: int
    markers_bytes: int
    frames: int = 1

    @property
    def is_of_companions(self) -> bool:
        """Whether what was answered were companions: they are no frames that it could be divided by."""
        return not self.frames

    @property
    def body_bytes(self) -> int:
        """All of it."""
        return self.scan_bytes + self.tables_bytes + self.markers_bytes


class Metrics(
    ClassifierMetrics,
    DriftMetrics,
    EventMetrics,
    FleetMetrics,
    RolloutMetrics,
    ConnectionMetrics,
    UpkeepMetrics,
    QualityMetrics,
    TrainerMetrics,
):
    """The server's metrics in a registry of their own; nothing is global."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        super().__init__(registry)
        self._payload = Counter(
            "dctwire_payload_bytes",
            "Bytes of answered frames: scan, tables, other markers, HTTP around them (at the socket), companions.",
            ["direction", "family", "tables", "part"],
            registry=registry,
        )
        self._wire = Counter(
            "dctwire_wire_bytes",
            "Every byte on the device plane's sockets.",
            ["direction", "route"],
            registry=registry,
        )
        self._frames = Counter(
            "dctwire_frames", "Frames answered, each once.", ["family", "tables", "match"], registry=registry
        )
        self._companions = Counter(
            "dctwire_companion_frames",
            "Frames answered, each once, that belong to another one and count nowhere else.",
            ["kind"],
            registry=registry,
        )
        self._predictions = Counter(
            # Not by tables as well: versions times labels, and a process sees many versions.
            "dctwire_predictions",
            "Answers by label.",
            ["family", "label"],
            registry=registry,
        )
        self._observer_faults = Counter(
            "dctwire_observer_faults",
            "Micro-batches of answered frames that an observer failed to take; their answers were given.",
            ["observer"],
            registry=registry,
        )
        self._feedback = Counter(
            "dctwire_feedback", "Frames whose true label is known.", ["family", "tables", "correct"], registry=registry
        )
        self._samples = Counter("dctwire_samples", "Frames kept.", ["family", "reason"], registry=registry)
        self._samples_dropped = Counter(
            "dctwire_samples_dropped",
            "Frames that there was a reason to keep, and why not.",
            ["cause"],
            registry=registry,
        )
        self.audit_rows = Gauge("dctwire_audit_rows", "Changes that operators made.", registry=registry)
        self.audit_is_broken = Gauge(
            "dctwire_audit_broken", "Whether the audit is not as it was written (0 or 1).", registry=registry
        )
        self.tuf_expiry = Gauge(
            "dctwire_tuf_expiry_timestamp_seconds",
            "When the first of what a role has signed for any family expires, in seconds since 1970.",
            ["role"],
            registry=registry,
        )
        self.missing_online_keys = Gauge(
            "dctwire_missing_online_keys",
            "Online keys that the newest root names and this process lacks, so that it signs nothing.",
            registry=registry,
        )
        self.samples_bytes = Gauge("dctwire_samples_bytes", "Size of the frames that are kept.", registry=registry)
        self._rejected = Counter(
            "dctwire_rejected_frames",
            "Frames that were read and refused; a refused batch counts each of its frames.",
            ["reason"],
            registry=registry,
        )
        self._refused_requests = Counter(
            "dctwire_refused_requests",
            "Uploads that were refused, or broke off, before their frames were known.",
            ["reason"],
            registry=registry,
        )
        self._refused_calls = Counter(
            "dctwire_refused_calls",
            "Requests other than uploads that were refused, or broke off.",
            ["plane", "reason"],
            registry=registry,
        )
        self._replayed = Counter(
            "dctwire_replayed_frames", "Frames sent again and given their stored answer.", ["family"], registry=registry
        )
        self._stages = Histogram(
            "dctwire_stage_seconds",
            "Time in a stage, by frame, micro-batch or request.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_frames = Histogram(
            "dctwire_batch_frames", "Frames classified together.", buckets=_BATCH_FRAMES, registry=registry
        )
        self.queue_depth = Gauge("dctwire_queue_depth", "Frames waiting for a classifier.", registry=registry)
        self.queue_oldest = Gauge(
            "dctwire_queue_oldest_seconds",
            "For how long the oldest frame has waited that still waits; 0: none does.",
            registry=registry,
        )
        self._build = Gauge(
            "dctwire_build_info", "Always 1, with the program's version.", ["version"], registry=registry
        )
        self._build.labels(version("dctwire")).set(1)
        self._by_stage = {stage: self._stages.labels(stage.value) for stage in Stage}

    def count_exchange(self, route: str, received_bytes: int, sent_bytes: int, payload: Payload | None) -> None:
        """Count one request's bytes as the socket saw them; `payload` when a frame of it was answered."""
        self._labelled(self._wire, "in", route).inc(received_bytes)
        self._labelled(self._wire, "out", route).inc(sent_bytes)
        if payload is not None:
            for part, size in _parts(payload, received_bytes).items():
                self._labelled(self._payload, "in", payload.family, payload.tables, part).inc(size)
            answer = "companion" if payload.is_of_companions else "http"
            self._labelled(self._payload, "out", payload.family, payload.tables, answer).inc(sent_bytes)

    def count_companions(self, answered: AnsweredFrames) -> None:
        """Count companions that were answered for the first time."""
        self._labelled(self._companions, answered.kind.value).inc(len(answered.frames))

    def count_answered(self, answered: AnsweredFrames) -> None:
        """Count frames that were answered for the first time, and their labels."""
        frames, family = answered.frames, answered.family
        self._labelled(self._frames, family, answered.tables, answered.match.value).inc(len(frames))
        for label, count in Count(frame.label for frame in frames).items():
            self._labelled(self._predictions, family, metric_label(answered.labels, label)).inc(count)

    def count_observer_fault(self, observer: str) -> None:
        """Count a micro-batch of answered frames that an observer failed to take."""
        self._labelled(self._observer_faults, observer).inc()

    def count_replay(self, family: str) -> None:
        """Count a frame that was given its stored answer."""
        self._labelled(self._replayed, family).inc()

    def count_feedback(self, family: str, tables: str, *, is_correct: bool) -> None:
        """Count a frame's first label."""
        self._feedback.labels(family, tables, "true" if is_correct else "false").inc()

    def count_sample(self, family: str, reason: str) -> None:
        """Count a frame that was kept."""
        self._labelled(self._samples, family, reason).inc()

    def count_sample_dropped(self, cause: str) -> None:
        """Count a frame that there was a reason to keep; `cause` is one of `feedback.reasons.Dropped`."""
        self._labelled(self._samples_dropped, cause).inc()

    def count_rejected_frames(self, reason: str, frames: int) -> None:
        """Count frames that were read and refused; `reason` is a problem code."""
        self._labelled(self._rejected, reason).inc(frames)

    def count_refused_request(self, reason: str) -> None:
        """Count an upload that got no answer for any frame; `reason`: a problem code, `slow-body` or `disconnected`."""
        self._labelled(self._refused_requests, reason).inc()

    def count_refused_call(self, plane: str, reason: str) -> None:
        """Count a request other than an upload; `reason` as of those."""
        self._labelled(self._refused_calls, plane, reason).inc()

    def frames_so_far(self) -> tuple[int, int]:
        """How many frames this process has answered, and how many it has read and refused."""
        return _total(self._frames), _total(self._rejected)

    def observe(self, stage: Stage, seconds: float) -> None:
        """Note what one frame, micro-batch or request spent in a stage."""
        self._by_stage[stage].observe(seconds)

    def observe_batch(self, frames: int, queue_seconds: float, decode_seconds: float, infer_seconds: float) -> None:
        """Note a micro-batch that was classified."""
        self._batch_frames.observe(frames)
        self._by_stage[Stage.QUEUE].observe(queue_seconds)
        self._by_stage[Stage.DECODE].observe(decode_seconds)
        self._by_stage[Stage.INFER].observe(infer_seconds)

    def exposition(self) -> bytes:
        """The text Prometheus reads."""
        return generate_latest(self._registry)


def _total(counter: Counter) -> int:
    return int(sum(each.value for one in counter.collect() for each in one.samples if each.name.endswith("_total")))


def _parts(payload: Payload, received_bytes: int) -> Mapping[str, int]:
    """The bytes of a request by part; those of companions are one part, whatever they were."""
    if payload.is_of_companions:
        return {"companion": received_bytes}
    return {
        "scan": payload.scan_bytes,
        "tables": payload.tables_bytes,
        "markers": payload.markers_bytes,
        # Never below zero: a client that pipelines may have two requests in one segment, counted with the first.
        "http": max(0, received_bytes - payload.body_bytes),
    }


def metric_label(labels: Sequence[str], index: int) -> str:
    """A classifier's label as metrics name it: one of the first `LABELS_NAMED_MAX`, or "other"."""
    return labels[index] if index < LABELS_NAMED_MAX else "other"
