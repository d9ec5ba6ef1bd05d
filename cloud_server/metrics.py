"""Every metric the server exports. Label sets are closed: families and bundles that were published, routes, codes.

Bytes are counted twice over, for two questions:

- `dctwire_payload_bytes_total` asks what an answered frame costs, by tables and by part. It covers requests in
  which at least one frame was answered; a frame that was sent twice cost its bytes twice.
- `dctwire_wire_bytes_total` asks where every byte on the device plane's sockets went, by route.
"""

from collections import Counter as Count
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cloud_server.answered import AnsweredFrames

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

    `frames` of it were answered.
    """

    family: str
    tables: str
    scan_bytes: int
    tables_bytes: int
    markers_bytes: int
    frames: int = 1

    @property
    def body_bytes(self) -> int:
        """All of it."""
        return self.scan_bytes + self.tables_bytes + self.markers_bytes


class Metrics:
    """The server's metrics in a registry of their own; nothing is global."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._children: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._payload = Counter(
            "dctwire_payload_bytes",
            "Bytes of answered frames: scan, tables, other markers, and HTTP around them (at the socket).",
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
        self._refused_connections = Counter(
            "dctwire_refused_connections", "Connections that were refused when they were made.", registry=registry
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
        self._devices = Gauge(
            "dctwire_devices_by_tables",
            "Devices by the tables they last sent.",
            ["family", "tables"],
            registry=registry,
        )
        self._assignment = Gauge("dctwire_assignment_seq", "Newest assignment's number.", ["family"], registry=registry)
        self._loads = Counter(
            "dctwire_classifier_loads", "Classifiers loaded, or found not to load.", ["outcome"], registry=registry
        )
        self._classifier_faults = Counter(
            "dctwire_classifier_faults",
            "Frames that a classifier gave no usable answer.",
            ["model"],
            registry=registry,
        )
        self._evictions = Counter(
            "dctwire_classifier_evictions",
            "Classifiers that made room for others.",
            registry=registry,
        )
        self._classifier_bytes = Gauge(
            "dctwire_classifier_bytes",
            "Memory that a loaded classifier keeps.",
            ["model", "precision"],
            registry=registry,
        )
        self._classifier_batch_max = Gauge(
            "dctwire_classifier_batch_max_frames",
            "Largest batch that pays, found by timing.",
            ["model"],
            registry=registry,
        )
        Gauge("dctwire_build_info", "Always 1.", ["version"], registry=registry).labels(version("dctwire")).set(1)
        self._by_stage = {stage: self._stages.labels(stage.value) for stage in Stage}

    def count_exchange(self, route: str, received_bytes: int, sent_bytes: int, payload: Payload | None) -> None:
        """Count one request's bytes as the socket saw them; `payload` when a frame of it was answered."""
        self._labelled(self._wire, "in", route).inc(received_bytes)
        self._labelled(self._wire, "out", route).inc(sent_bytes)
        if payload is None:
            return
        parts = {
            "scan": payload.scan_bytes,
            "tables": payload.tables_bytes,
            "markers": payload.markers_bytes,
            # Never below zero: a client that pipelines may have two requests in one segment, counted with the first.
            "http": max(0, received_bytes - payload.body_bytes),
        }
        for part, size in parts.items():
            self._labelled(self._payload, "in", payload.family, payload.tables, part).inc(size)
        self._labelled(self._payload, "out", payload.family, payload.tables, "http").inc(sent_bytes)

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

    def count_refused_connection(self) -> None:
        """Count a connection that was one too many."""
        self._refused_connections.inc()

    def observe(self, stage: Stage, seconds: float) -> None:
        """Note what one frame, micro-batch or request spent in a stage."""
        self._by_stage[stage].observe(seconds)

    def observe_batch(self, frames: int, queue_seconds: float, decode_seconds: float, infer_seconds: float) -> None:
        """Note a micro-batch that was classified."""
        self._batch_frames.observe(frames)
        self._by_stage[Stage.QUEUE].observe(queue_seconds)
        self._by_stage[Stage.DECODE].observe(decode_seconds)
        self._by_stage[Stage.INFER].observe(infer_seconds)

    def count_load(self, *, is_loaded: bool) -> None:
        """Count a classifier that was loaded, or could not be."""
        self._loads.labels("loaded" if is_loaded else "failed").inc()

    def count_classifier_fault(self, model: str) -> None:
        """Count a frame that a classifier gave no usable answer."""
        self._labelled(self._classifier_faults, model).inc()

    def count_eviction(self) -> None:
        """Count a classifier that made room for another."""
        self._evictions.inc()

    def set_classifiers(self, loaded: Iterable[tuple[str, str, int, int]]) -> None:
        """Set the gauges of classifiers in memory: (model, precision, bytes, largest batch); before each scrape."""
        self._classifier_bytes.clear()
        self._classifier_batch_max.clear()
        for model, precision, cost_bytes, batch_max in loaded:
            self._classifier_bytes.labels(model, precision).set(cost_bytes)
            self._classifier_batch_max.labels(model).set(batch_max)
            self._labelled(self._classifier_faults, model)  # 0 until the first one, whose growth is seen then

    def set_fleet(self, by_tables: Count[tuple[str, str]], seq_by_family: Mapping[str, int]) -> None:
        """Set the gauges that describe the fleet; called before each scrape."""
        self._devices.clear()
        for (family, tables), devices in by_tables.items():
            self._devices.labels(family, tables).set(devices)
        for family, seq in seq_by_family.items():
            self._assignment.labels(family).set(seq)

    def _labelled(self, counter: Counter, *labels: str) -> Counter:
        """`counter.labels(*labels)`, remembered: looking a child up costs more than counting with it."""
        key = (counter, labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        return child

    def exposition(self) -> bytes:
        """The text Prometheus reads."""
        return generate_latest(self._registry)


def metric_label(labels: Sequence[str], index: int) -> str:
    """A classifier's label as metrics name it: one of the first `LABELS_NAMED_MAX`, or "other"."""
    return labels[index] if index < LABELS_NAMED_MAX else "other"
