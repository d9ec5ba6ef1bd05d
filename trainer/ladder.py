"""A ladder: one base training, then a short branch for every kind of tables and byte budget, measured alike.

Every rung is a run of its own (`dctwire-trainer train`), so that a ladder that was stopped goes on where it was.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from trainer.comparison import LADDER_NAME, Kind
from trainer.errors import RunError
from trainer.recipes.recipe import Ablation, Ladder
from trainer.whole_file import write_whole

BASE = "base"
LOG_NAME = "log.txt"
LOG_LINES_SHOWN = 5


@dataclass(frozen=True)
class Point:
    """One rung.

    Args:
        label: for people.
        budget: scan bytes a frame that were asked for.
        run: its folder, from the ladder's on.
        tables: what `train --tables` is asked for.
        variants: of the recipe, on top of the ladder's own.
    """

    name: str
    kind: Kind
    label: str
    budget: float
    seed: int
    run: str
    tables: str
    variants: tuple[str, ...] = field(default=())


TABLES = {
    Kind.JPEG: "standard",
    Kind.JPEG_RDO: "standard",
    Kind.SENSITIVITY: "sensitivity",
    Kind.IMPROVED: "learned",
}
LABELS = {
    Kind.JPEG: "JPEG",
    Kind.JPEG_RDO: "JPEG with RDO",
    Kind.SENSITIVITY: "sensitivity only",
    Kind.IMPROVED: "learned",
}


def plan(ladder: Ladder, seed: int) -> list[Point]:
    """All rungs: every kind at its budgets, the second seed, then the ablations."""
    points = [_point(Kind(kind), budget, seed) for kind, budgets in ladder.budgets.items() for budget in budgets]
    if ladder.again is not None:
        points += [_point(kind, ladder.again, seed + 1) for kind in (Kind.JPEG, Kind.IMPROVED)]
    return points + [_ablation(asked, seed) for asked in ladder.ablations]


def arguments(point: Point, ladder: Ladder) -> list[str]:
    """What `train` needs to hear besides the recipe and where the base is."""
    words = ["--tables", point.tables, "--budget", f"{point.budget:g}", "--seed", str(point.seed)]
    words += ["--rdo", f"{ladder.rdo_multiplier:g}"] if point.kind is Kind.JPEG_RDO else []
    return words + [word for variant in point.variants for word in ("--variant", variant)]


def write_plan(folder: Path, points: Sequence[Point], *, data: str, recipe: str, variants: Sequence[str]) -> None:
    """Write `ladder.json`."""
    content = {"data": data, "recipe": recipe, "variant": " ".join(variants)}
    rungs = [asdict(point) for point in points]
    text = json.dumps(content | {"points": rungs}, indent=2) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / LADDER_NAME, lambda file: file.write(text.encode()))


@dataclass(frozen=True)
class Command:
    """Programs of ours to run one after the other.

    Args:
        folder: for their log.
        steps: the arguments of `dctwire-trainer`, each.
    """

    folder: Path
    steps: tuple[list[str], ...]


def run_commands(commands: Sequence[Command], jobs: int, done: Callable[[Path], None]) -> None:
    """Run commands, `jobs` at once.

    Args:
        done: called with the folder of each that ended well.

    Raises:
        RunError: some failed; the others were run to their end.
    """
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = [pool.submit(_run, command, done) for command in commands]
        try:
            failures = [failure for outcome in outcomes if (failure := outcome.result()) is not None]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C: what has not begun stays undone
    if failures:
        raise RunError("\n".join(failures))


def _run(command: Command, done: Callable[[Path], None]) -> str | None:
    """What went wrong, if anything."""
    command.folder.mkdir(parents=True, exist_ok=True)
    log = command.folder / LOG_NAME
    for words in command.steps:
        with log.open("ab") as file:
            ours = [sys.executable, "-m", "trainer.app", *words]
            status = subprocess.run(ours, stdout=file, stderr=file, check=False).returncode  # noqa: S603 - our own
        if status:
            return f"{' '.join(words)} ended with status {status}; {log} ends with:\n" + "\n".join(_last_lines(log))
    done(command.folder)
    return None


def _last_lines(log: Path) -> Iterator[str]:
    yield from log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]


def _point(kind: Kind, budget: float, seed: int) -> Point:
    name = f"{kind}-{budget:g}" + (f"-seed{seed}" if seed else "")
    return Point(name, kind, LABELS[kind], budget, seed, f"runs/{name}", TABLES[kind])


def _ablation(asked: Ablation, seed: int) -> Point:
    of = Kind(asked.of)
    name = f"{asked.variant}-{asked.budget:g}" if of is Kind.IMPROVED else f"{of}-{asked.variant}-{asked.budget:g}"
    return Point(name, Kind.ABLATION, asked.label, asked.budget, seed, f"runs/{name}", TABLES[of], (asked.variant,))
