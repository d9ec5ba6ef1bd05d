"""A ladder: one base training, then a short branch of it for every kind of tables and byte budget; `ladder.json`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainer.errors import RunError
from trainer.recipes import recipe as recipes
from trainer.recipes.goals import Goal, LearnedGoal, SensitivityGoal, StandardGoal
from trainer.whole_file import write_whole

LADDER_NAME = "ladder.json"
BASE = "base"  # the folder of the run that all others start from


class Kind(StrEnum):
    """Where a run's tables come from; each kind has nets trained alike, Huffman tables and wire format alike."""

    JPEG = "jpeg"
    JPEG_RDO = "jpeg-rdo"
    SENSITIVITY = "sensitivity"
    IMPROVED = "improved"
    ABLATION = "ablation"


BASELINES = (Kind.JPEG, Kind.JPEG_RDO, Kind.SENSITIVITY)
FITTED = (Kind.SENSITIVITY, Kind.IMPROVED, Kind.ABLATION)  # whose tables are made for a byte budget
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


class LadderPoint(BaseModel):
    """One run of a ladder.

    Args:
        label: in words; tells ablations apart.
        budget: scan bytes a frame that were asked for.
        run: its folder, relative to the ladder's.
        tables: what it is trained for; tells whether an ablation is the improved method's or standard JPEG's.
        variants: of the recipe, on top of the ladder's own.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    kind: Kind
    label: str
    budget: Annotated[float, Field(gt=0)]
    seed: int
    run: str
    tables: str = "learned"
    variants: tuple[str, ...] = ()


class Ladder(BaseModel):
    """Runs of one data set and recipe at several byte budgets."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: str
    recipe: str
    variant: str | None
    points: list[LadderPoint]


def plan(section: recipes.Ladder, seed: int) -> list[LadderPoint]:
    """All points: every kind at its budgets, the second seed, then the ablations."""
    points = [_point(Kind(kind), budget, seed) for kind, budgets in section.budgets.items() for budget in budgets]
    if section.again is not None:
        points += [_point(kind, section.again, seed + 1) for kind in (Kind.JPEG, Kind.IMPROVED)]
    return points + [_ablation(asked, seed) for asked in section.ablations]


def goal_of(point: LadderPoint, rdo_multiplier: float) -> Goal:
    """What a point's run is for.

    Args:
        rdo_multiplier: of ordinary JPEG with rate-distortion optimised quantisation.
    """
    if point.tables == "standard":
        return StandardGoal(budget=point.budget, rdo_multiplier=rdo_multiplier if point.kind is Kind.JPEG_RDO else 0.0)
    return SensitivityGoal(budget=point.budget) if point.tables == "sensitivity" else LearnedGoal(budget=point.budget)


def write_ladder(folder: Path, ladder: Ladder) -> None:
    """Write `ladder.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ladder.model_dump_json(indent=2).encode() + b"\n"
    write_whole(folder / LADDER_NAME, lambda file: file.write(text))


def read_ladder(folder: Path) -> Ladder:
    """What a ladder's folder says of itself.

    Raises:
        RunError: ladder.json is missing or no ladder.
    """
    path = folder / LADDER_NAME
    try:
        return Ladder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunError(f"{path} is no ladder: {error}") from error


def _point(kind: Kind, budget: float, seed: int) -> LadderPoint:
    name = f"{kind}-{budget:g}" + (f"-seed{seed}" if seed else "")
    return LadderPoint(
        name=name, kind=kind, label=LABELS[kind], budget=budget, seed=seed, run=f"runs/{name}", tables=TABLES[kind]
    )


def _ablation(asked: recipes.Ablation, seed: int) -> LadderPoint:
    of = Kind(asked.of)
    name = f"{asked.variant}-{asked.budget:g}" if of is Kind.IMPROVED else f"{of}-{asked.variant}-{asked.budget:g}"
    return LadderPoint(
        name=name,
        kind=Kind.ABLATION,
        label=asked.label,
        budget=asked.budget,
        seed=seed,
        run=f"runs/{name}",
        tables=TABLES[of],
        variants=(asked.variant,),
    )
