"""What each program costs to install, from the wheel, into an empty virtual environment: download, disk, seconds.

Builds the wheel, and for each extra downloads everything into an empty folder (its size is the download) and then
installs from that folder alone: seconds of a core, so that neither the network nor other work counts. Versions are
those of constraints.txt; `train-cuda` is `train` as pip resolves it by itself, on Linux with CUDA. n counts the
environments.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import record

EXTRAS = {"operator": "", "sensor": "[sensor]", "cloud": "[cloud]", "train": "[train]", "train-cuda": "[train]"}
PROGRAMS = {"operator": "dctwire", "sensor": "dctwire-sensor", "cloud": "dctwire-server", "train": "dctwire-trainer"}
CONSTRAINTS = record.ROOT / "constraints.txt"


def main() -> int:
    """Measure every extra, and record."""
    with tempfile.TemporaryDirectory() as folder:
        wheel, figures = build(Path(folder) / "wheel")
        for name, extra in EXTRAS.items():
            figures |= installed(Path(folder) / name, f"{wheel}{extra}", name)
    record.write("installing", len(EXTRAS), figures)
    return 0


def build(folder: Path) -> tuple[Path, dict[str, float]]:
    """The wheel, its size, and how long it took to build where cargo has compiled the codec before."""
    started = core_seconds()
    run("maturin", "build", "--release", "--out", str(folder), cwd=record.ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel, {"seconds_build": core_seconds() - started, "wheel_bytes": wheel.stat().st_size}


def installed(folder: Path, requirement: str, name: str) -> dict[str, float]:
    """Figures of one extra; its program must start."""
    run("venv", str(folder / "venv"))
    python = str(folder / "venv/bin/python")
    constraint = () if name == "train-cuda" else ("--constraint", str(CONSTRAINTS))
    before = size(folder / "venv")
    pip = ("pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "download", "--dest", str(folder / "files"), *constraint, requirement, python=python)
    started = core_seconds()
    offline = ("--no-index", "--find-links", str(folder / "files"))
    run(*pip, "install", "--no-cache-dir", *offline, *constraint, requirement, python=python)
    seconds = core_seconds() - started
    program = folder / "venv/bin" / PROGRAMS[name.removesuffix("-cuda")]
    subprocess.run([program, "--version"], check=True, capture_output=True)
    return {
        f"download_bytes_{name}": size(folder / "files"),
        f"disk_bytes_{name}": size(folder / "venv") - before,
        f"seconds_{name}": seconds,
    }


def core_seconds() -> float:
    """What all programs that were run so far took, in seconds of a core."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def size(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def run(*words: str, python: str = sys.executable, cwd: Path | None = None) -> None:
    """`python -m WORDS`."""
    subprocess.run([python, "-m", *words], cwd=cwd, check=True)


if __name__ == "__main__":
    sys.exit(main())
