"""What every benchmark writes: its figures, with the commit, machine, date and count they belong to."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def write(name: str, n: int, figures: Mapping[str, float], setting: str = "") -> Path:
    """Write `results/<name>.json`.

    Args:
        n: how many observations stand behind the figures (frames, images, runs: the benchmark's docstring says).
        figures: flat names, plain numbers.
        setting: what else the figures depend on, besides the machine: versions of peers, data.
    """
    record = {
        "name": name,
        "commit": _commit(),
        "machine": "; ".join(filter(None, (machine(), setting))),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "n": n,
        "figures": {key: round(value, 6) for key, value in figures.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    return path


def machine() -> str:
    """Processor, cores of the machine (a benchmark may pin itself to some of them), operating system."""
    model = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cores = os.cpu_count() or 1
    return f"{model}, {cores} {'core' if cores == 1 else 'cores'}, {platform.system()} {platform.machine()}"


def _commit() -> str:
    run = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()
