"""`make demo` as a newcomer runs it, cold and then warm: seconds, bytes a frame, accuracy.

Clones this repository's HEAD into an empty folder and runs `make demo` there twice, with no environment active.
The figures are the second run's; n counts the different held-out pictures, each sent at least once a version. The
plots go to docs/images/.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import record

PICTURES = ("learned-tables.png", "rate-accuracy.png")
OURS = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def main() -> int:
    """Run both, record, and keep the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "dctwire"
        subprocess.run(["git", "clone", "--quiet", str(record.ROOT), str(clone)], check=True)
        cold = run_demo(clone)
        warm = run_demo(clone)
        keep_pictures(clone / "demo-run")
    seconds = {"seconds_cold": cold.pop("seconds"), "seconds_warm": warm.pop("seconds")}
    record.write("demo", int(warm["pictures"]), {**seconds, **warm})
    return 0


def run_demo(clone: Path) -> dict[str, float]:
    """`make demo` in a clone, in a clean environment; what its demo.json says."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("DCTWIRE_") and name != "PATH"
    }
    environment["PATH"] = os.pathsep.join(
        part for part in os.environ["PATH"].split(os.pathsep) if not Path(part).is_relative_to(record.ROOT)
    )
    subprocess.run(["make", "demo"], cwd=clone, env=environment, check=True)
    figures: dict[str, float] = json.loads((clone / "demo-run" / "demo.json").read_text())
    return figures


def keep_pictures(demo_run: Path) -> None:
    """Copy the pictures into the docs."""
    images = record.ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    for name in PICTURES:
        shutil.copyfile(demo_run / name, images / name)


if __name__ == "__main__":
    sys.exit(main())
