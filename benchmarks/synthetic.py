"""How accuracy on the data set `synthetic` depends on the bytes spent: standard and learned tables, one net each.

Trains `synthetic-32` for every quality and budget below, two runs at a time, and evaluates each on the held-out test
split (n pictures) through the real codec and the exported classifier. One seed.
"""

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import record
from harness import commands
from harness.processes import run

QUALITIES = (5, 10, 25, 50, 75, 95)
BUDGETS = (40, 70, 100, 140)
AT_ONCE = 2


def main() -> int:
    """Train, evaluate, record, draw."""
    asked = [*((f"q{quality}", "standard", quality) for quality in QUALITIES)]
    asked += [(f"b{budget}", "learned", budget) for budget in BUDGETS]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(AT_ONCE) as pool:
        folder = Path(name)
        rows = dict(pool.map(lambda one: (one[0], measure(folder, *one)), asked))
        draw(rows, folder / "points.json")
    figures = {f"scan_bytes_{key}": row["scan"]["mean"] for key, row in rows.items()}
    figures |= {f"accuracy_{key}": row["accuracy"] for key, row in rows.items()}
    record.write("synthetic", rows["q50"]["n"], figures)
    return 0


def measure(folder: Path, key: str, tables: str, value: int) -> dict[str, Any]:
    """Train one run and evaluate it; what `dctwire-trainer evaluate` says."""
    option = "--quality" if tables == "standard" else "--budget"
    out, figures, log = folder / key, folder / f"{key}.json", folder / f"{key}.log"
    train = ("dctwire-trainer", "train", commands.RECIPE, "--tables", tables, option, str(value), "--out", str(out))
    run(train, log=log)
    run(("dctwire-trainer", "evaluate", str(out), "--json", str(figures)), log=log)
    measured: dict[str, Any] = json.loads(figures.read_text())
    print(f"{tables} {value}: {measured['scan']['mean']:.1f} scan bytes, {measured['accuracy']:.1%}", flush=True)
    return measured


def draw(rows: dict[str, dict[str, Any]], points: Path) -> None:
    """The rate-accuracy picture of the docs."""
    series = {"b": ("learned tables, by budget", "{} B"), "q": ("standard tables, by quality", "q{}")}
    points.write_text(
        json.dumps(
            [
                {"name": series[key[0]][1].format(key[1:]), "series": series[key[0]][0], "bytes": row["scan"]["mean"]}
                | {part: row[part] for part in ("accuracy", "low", "high")}
                for key, row in sorted(rows.items())  # learned first: its curve lies above, and so do its names
            ]
        )
    )
    image = record.ROOT / "docs" / "images" / "synthetic-rate-accuracy.png"
    run(("dctwire-trainer", "plot", "points", str(points), "--unit", "scan bytes a frame", "--out", str(image)))


if __name__ == "__main__":
    sys.exit(main())
