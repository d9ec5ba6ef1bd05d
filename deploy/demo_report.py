"""What the demo shows at its end: a table on the terminal, two pictures, and demo.json."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from deploy.demo_rollout import Proof
from harness import commands
from harness.measurement import Measured, figures
from harness.processes import run


@dataclass(frozen=True)
class Report:
    """The three ways to send the same pictures; `file_bytes` is the mean size of an ordinary JPEG file."""

    standard: Measured
    v1: Measured
    v2: Measured
    file_bytes: float
    frames_lost: int
    proof: Proof

    @property
    def rows(self) -> tuple[tuple[str, Measured], ...]:
        """The three, as people call them."""
        return (
            ("ordinary JPEG files", self.standard),
            ("v1: standard tables", self.v1),
            ("v2: learned tables", self.v2),
        )


def show(report: Report, folder: Path, seconds: float, console: Console) -> None:
    """Print the table, draw the pictures, write demo.json."""
    flat = dict(figures(report.standard, report.v1, report.v2, report.file_bytes, report.frames_lost))
    flat |= {"rollout_seconds": report.proof.seconds, "canary_alone_seconds": report.proof.alone_seconds}
    (folder / "demo.json").write_text(json.dumps({**flat, "seconds": round(seconds, 1)}, indent=2) + "\n")
    (folder / "points.json").write_text(json.dumps(points(report), indent=2) + "\n")
    run(commands.draw_tables(folder / "v1", folder / "v2", folder / "learned-tables.png"))
    run(commands.draw_points(folder / "points.json", folder / "rate-accuracy.png"))
    console.print(table(report))
    console.print(
        f"Measured by the server, data set `synthetic`: {report.standard.frames} ordinary files posted one by one, "
        f"{report.v1.frames} frames with v1 and {report.v2.frames} with v2 in batches, {report.frames_lost} lost.\n"
        f"{report.proof.words}\n"
        f"Pictures: {folder}/rate-accuracy.png, {folder}/learned-tables.png. {seconds:.0f} s in all.",
        highlight=False,
        soft_wrap=True,
    )


def table(report: Report) -> Table:
    """Bytes a frame by part, accuracy with half its 95 % interval, and the saving; fits 80 columns."""
    out = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    out.add_column("bytes a frame, as", no_wrap=True)
    for heading in ("scan", "tables,\nmarkers", "HTTP,\nreply", "on the\nwire", "saving", "accuracy"):
        out.add_column(heading, justify="right", no_wrap=True)
    for words, row in report.rows:
        low, high = row.accuracy_interval
        saving = 1 - row.wire_bytes / report.standard.wire_bytes
        parts = (row.scan_bytes, row.tables_and_markers_bytes, row.http_bytes + row.reply_bytes, row.wire_bytes)
        out.add_row(
            words,
            *(f"{part:.1f}" for part in parts),
            "" if row is report.standard else f"[bold green]{saving:.0%}[/]",
            f"{row.accuracy:.1%} ± {100 * (high - low) / 2:.1f}",
        )
    return out


def points(report: Report) -> list[dict[str, object]]:
    """The rate-accuracy points as `dctwire-trainer plot points` takes them, in bytes on the wire."""
    return [
        {
            "name": name,
            "bytes": row.wire_bytes,
            "accuracy": row.accuracy,
            "low": row.accuracy_interval[0],
            "high": row.accuracy_interval[1],
        }
        for name, row in report.rows
    ]
