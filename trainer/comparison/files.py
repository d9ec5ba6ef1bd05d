"""A comparison on disk: its figures as JSON, and its pictures."""

from pathlib import Path

from trainer.comparison.curves import improved_tables, over_bytes_sent, over_scan_bytes
from trainer.comparison.figures import Comparison
from trainer.comparison.ladder_results import LadderResults
from trainer.encoding.files import read_encoding
from trainer.plot import TitledTables, draw_curves, draw_tables
from trainer.whole_file import write_whole

PICTURES = ("rate-accuracy.png", "wire.png", "tables.png")


def write_comparison(comparison: Comparison, results: LadderResults, ladder: Path, folder: Path) -> None:
    """Write comparison.json and the pictures.

    Args:
        ladder: the folder that the runs' folders are relative to.
        folder: to write into.

    Raises:
        RunError: an improved run has lost its tables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = comparison.model_dump_json(indent=2)
    write_whole(folder / "comparison.json", lambda file: file.write(text.encode() + b"\n"))
    subtitle = f"{comparison.data} ({comparison.split}, n = {comparison.n})"
    curves, sent, tables = (folder / name for name in PICTURES)
    draw_curves(over_scan_bytes(results), curves, subtitle, "scan bytes a frame")
    draw_curves(over_bytes_sent(results), sent, subtitle, "bytes a frame as sent")
    encodings = [(title, read_encoding(ladder / run)) for title, run in improved_tables(results)]
    rows = [TitledTables(title, each.tables, each.settings.zero_mask) for title, each in encodings]
    draw_tables(rows, tables, f"data set: {comparison.data}")
