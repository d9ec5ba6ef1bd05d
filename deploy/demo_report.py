"""What the demo shows at its end: a table on the terminal, two pictures, and demo.json."""

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy import commands
from deploy.measurement import Measured, figures
from deploy.processes import run


@dataclass(frozen=True)
class Report:
    """The three ways to send the same pictures; `file_bytes` is the mean size of an ordinary JPEG file."""

    standard: Measured
    v1: Measured
    v2: Measured
    file_bytes: float
    frames_lost: int


def show(report: Report, folder: Path, seconds: float, console: Console) -> None:
    """Print the table, draw the pictures, write demo.json."""
    flat = dict(figures(report.standard, report.v1, report.v2, report.file_bytes, report.frames_lost))
    (folder / "demo.json").write_text(json.dumps({**flat, "seconds": round(seconds, 1)}, indent=2) + "\n")
    (folder / "points.json").write_text(json.dumps(points(report), indent=2) + "\n")
    run(commands.draw_tables(folder / "v1", folder / "v2", folder / "learned-tables.png"))
    run(commands.draw_points(folder / "points.json", folder / "rate-accuracy.png"))
    console.print(table(report))
    console.print(
        f"Data set `synthetic`; {report.frames_lost} frames lost; {seconds:.0f} s in all. "
        f"Pictures: {folder}/rate-accuracy.png, {folder}/learned-tables.png",
        highlight=False,
        soft_wrap=True,
    )


def table(report: Report) -> Table:
    """Bytes a frame by part, accuracy with its 95 % interval, and the saving."""
    out = Table(title="Bytes a frame, from the server's metrics", title_justify="left")
    out.add_column("the same pictures as")
    for heading in ("frames", "scan", "tables, markers", "HTTP", "reply", "on the wire", "accuracy", "saving"):
        out.add_column(heading, justify="right", no_wrap=heading != "tables, markers")
    rows = (
        ("ordinary JPEG files, one by one", report.standard),
        ("v1: standard tables", report.v1),
        ("v2: learned tables", report.v2),
    )
    for words, row in rows:
        low, high = row.accuracy_interval
        saving = 1 - row.wire_bytes / report.standard.wire_bytes
        parts = (row.scan_bytes, row.tables_and_markers_bytes, row.http_bytes, row.reply_bytes, row.wire_bytes)
        out.add_row(
            words,
            f"{row.frames}",
            *(f"{part:.1f}" for part in parts),
            f"{row.accuracy:.1%} ({low:.1%} to {high:.1%})",
            "" if row is report.standard else f"[bold green]{saving:.0%}[/]",
        )
    return out


def points(report: Report) -> list[dict[str, object]]:
    """The rate-accuracy points as `dctwire-trainer plot` takes them."""
    rows = (
        ("ordinary JPEG file", report.file_bytes, report.standard),
        ("v1: standard tables, scan", report.v1.scan_bytes, report.v1),
        ("v2: learned tables, scan", report.v2.scan_bytes, report.v2),
    )
    return [
        {
            "name": name,
            "bytes": size,
            "accuracy": row.accuracy,
            "low": row.accuracy_interval[0],
            "high": row.accuracy_interval[1],
        }
        for name, size, row in rows
    ]
