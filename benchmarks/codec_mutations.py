"""Ten million damaged streams through every reading entry point of the codec; n counts the streams.

Each must end in a value or a documented error, within 50 ms of processor time a stream and a bounded memory, and must
not change what a batch makes of the frames beside it. The work is cut into pieces with numbers for seeds: what is done
stays in .cache/mutations/ and is not done again, a piece whose process dies is a failure, a failing stream is kept.

`make bench NAME=codec_mutations` records ten million; with arguments nothing is recorded unless `--record` says so:
    python -m benchmarks.codec_mutations --inputs 300000 --seed 7
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks import record
from benchmarks.mutation_readers import GROUP, Outcome, Readers

PIECE = 5_000  # groups


def main() -> int:
    """Do what is not done yet, print, and record."""
    asked = arguments()
    folder = record.ROOT / ".cache" / "mutations" / f"{library_hash()}-{asked.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    groups = -(-asked.inputs // GROUP)
    pieces = [(first, min(PIECE, groups - first)) for first in range(0, groups, PIECE)]
    total = Outcome()
    with ThreadPoolExecutor(asked.workers) as pool:
        done = pool.map(lambda piece: read_piece(asked.seed, piece[0], piece[1], folder), pieces)
        for outcome in track(done, "damaged streams", len(pieces), console=Console(stderr=True)):
            total.add(outcome)
    keep_failing(total, asked.seed, folder)
    print(json.dumps(figures(total), indent=2))
    if asked.record or len(sys.argv) == 1:
        record.write("codec_mutations", total.inputs, figures(total))
    return 1 if total.failures else 0


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--record", action="store_true")
    return parser.parse_args()


def library_hash() -> str:
    """Which build of the native codec is being tried."""
    library = record.ROOT / "shared" / "jpeg" / "_codec" / "lib_codec.so"
    return hashlib.sha256(library.read_bytes()).hexdigest()[:16]


def read_piece(seed: int, first: int, count: int, folder: Path) -> Outcome:
    """What became of some groups, in a process of their own; from the folder where they were read before."""
    result = folder / f"{first}-{count}" / f"{first}.json"
    if not result.exists():
        result.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.mutation_readers", *map(str, (seed, first, count, result.parent))]
        status = subprocess.run(command, cwd=record.ROOT, check=False).returncode
        if status:
            return died(seed, first, status, result.parent)
    found = json.loads(result.read_text())
    return Outcome(**{**found, "counts": Counter(found["counts"])})


def died(seed: int, first: int, status: int, folder: Path) -> Outcome:
    """A piece whose process ended early: the group it was reading is to blame."""
    group = int((folder / f"{first}.at").read_text())
    return Outcome((group - first) * GROUP, failures=[f"{seed} {group * GROUP} process ended with {status}"])


def keep_failing(total: Outcome, seed: int, folder: Path) -> None:
    """Write the failing streams down, and print what failed."""
    readers = Readers(seed)
    for failure in total.failures:
        index = int(failure.split()[1])
        (folder / f"{index}.jpg").write_bytes(readers.inputs(index // GROUP)[index % GROUP])
        print(f"seed and number {failure}", file=sys.stderr)


def figures(total: Outcome) -> dict[str, float]:
    """Counts by entry point and outcome, then the extremes."""
    return {
        "mutated_inputs": total.inputs,
        "mutated_failures": len(total.failures),
        "slowest_ms": total.slowest_ns / 1e6,
        "peak_mib_above_start": total.peak_bytes / (1 << 20),
        **{name.replace(" ", "_"): count for name, count in sorted(total.counts.items())},
    }


if __name__ == "__main__":
    sys.exit(main())
