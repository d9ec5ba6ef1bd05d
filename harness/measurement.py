"""What a way to send frames cost and achieved, from the server's own metrics: bytes a frame by part, and accuracy."""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from prometheus_client.parser import text_string_to_metric_families

Z_95 = 1.959964


class Samples:
    """One scrape of /metrics."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    @classmethod
    def scrape(cls, ops: str) -> "Samples":
        """Read `/metrics` of the ops plane at `ops`, such as http://127.0.0.1:9100."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine
        with direct.open(f"{ops}/metrics", timeout=10) as reply:
            return cls(reply.read().decode())

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples of that name whose labels include these."""
        return sum(value for found, has, value in self._samples if found == name and labels.items() <= has.items())


@dataclass(frozen=True)
class Measured:
    """What one way to send frames cost and achieved; bytes are means a frame.

    Args:
        pictures: how many different ones the frames showed at most; a picture sent again tells nothing new.
    """

    pictures: int
    frames: int
    labelled: int
    correct: int
    scan_bytes: float
    tables_and_markers_bytes: float
    http_bytes: float
    reply_bytes: float

    @property
    def stream_bytes(self) -> float:
        """The JPEG stream as sent."""
        return self.scan_bytes + self.tables_and_markers_bytes

    @property
    def wire_bytes(self) -> float:
        """Everything at the socket, both directions."""
        return self.stream_bytes + self.http_bytes + self.reply_bytes

    @property
    def accuracy(self) -> float:
        """Share of labelled frames that were answered with their label."""
        return self.correct / self.labelled

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        n, p, z2 = min(self.labelled, self.pictures), self.accuracy, Z_95**2
        centre, spread = p + z2 / (2 * n), Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return (centre - spread) / (1 + z2 / n), (centre + spread) / (1 + z2 / n)


def measured(samples: Samples, tables: str, pictures: int) -> Measured:
    """What the metrics say of the frames with these `tables`: `v1`, `v2`, `interchange`."""
    frames = samples.total("dctwire_frames_total", tables=tables)

    def mean_bytes(direction: str, *parts: str) -> float:
        return sum(
            samples.total("dctwire_payload_bytes_total", tables=tables, direction=direction, part=part)
            for part in parts
        ) / max(frames, 1)

    correct = samples.total("dctwire_feedback_total", tables=tables, correct="true")
    wrong = samples.total("dctwire_feedback_total", tables=tables, correct="false")
    return Measured(
        pictures=pictures,
        frames=int(frames),
        labelled=int(correct + wrong),
        correct=int(correct),
        scan_bytes=mean_bytes("in", "scan"),
        tables_and_markers_bytes=mean_bytes("in", "tables", "markers"),
        http_bytes=mean_bytes("in", "http"),
        reply_bytes=mean_bytes("out", "http"),
    )


def figures(standard: Measured, v1: Measured, v2: Measured, file_bytes: float, lost: int) -> Mapping[str, float]:
    """The flat figures of the demo's JSON."""
    flat = {"pictures": standard.pictures, "jfif_bytes_standard": file_bytes, "frames_lost": lost}
    for key, row in (("standard", standard), ("v1", v1), ("v2", v2)):
        low, high = row.accuracy_interval
        flat |= {
            f"scan_bytes_{key}": row.scan_bytes,
            f"stream_bytes_{key}": row.stream_bytes,
            f"wire_bytes_{key}": row.wire_bytes,
            f"accuracy_{key}": row.accuracy,
            f"accuracy_low_{key}": low,
            f"accuracy_high_{key}": high,
            f"frames_{key}": row.frames,
        }
    return flat | {f"saving_{key}": 1 - row.wire_bytes / standard.wire_bytes for key, row in (("v1", v1), ("v2", v2))}
