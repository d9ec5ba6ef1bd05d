"""Many runs from one recipe: a ladder of byte budgets, and the sweep of the paper's curves. Finished runs are kept."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trainer import jobs
from trainer.comparison.ladder import BASE, Ladder, LadderPoint, goal_of, plan, write_ladder
from trainer.data import SplitName
from trainer.errors import RecipeError, RunError
from trainer.evaluation.files import evaluation_path
from trainer.job_process import Assignment, run_apart
from trainer.jobs import EvaluateOrder, Machine, TrainOrder
from trainer.paper.sweep import draw_sweep, points_of
from trainer.recipes import recipe as recipes
from trainer.recipes.goals import AnyTablesGoal
from trainer.recipes.recipe import PaperRecipe, Recipe
from trainer.training.run_dir import RunDir

LOG_NAME = "log.txt"

Order = TrainOrder | EvaluateOrder
RunDone = Callable[[Path, int], None]


@dataclass(frozen=True, kw_only=True)
class LadderOrder:
    """Train one base, then every point of a recipe's ladder as a short branch of it, and evaluate all points.

    Args:
        recipe: name of a shipped recipe, or a TOML file.
        variants: names of the recipe's variants to apply.
        out: folder of all runs.
        side_by_side: how many runs at once, each in a process of its own.
    """

    recipe: str
    variants: tuple[str, ...] = ()
    out: Path
    side_by_side: int = 1


@dataclass(frozen=True, kw_only=True)
class SweepOrder:
    """Train and evaluate every point of the paper's curves.

    Args:
        out: folder of all runs.
        device: `auto`, `cpu`, `cuda` or `cuda:NUMBER`.
        threads: CPU threads.
    """

    recipe: PaperRecipe
    out: Path
    device: str = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Steps:
    """Jobs to do one after the other in one process.

    Args:
        folder: where their log is.
    """

    folder: Path
    orders: tuple[Order, ...]


def climb(order: LadderOrder, machine: Machine, run_done: RunDone) -> int:
    """Train the base and the points; the same order again goes on. Returns how many points there are.

    Args:
        run_done: called with the folder of each run that ended well, and with how many runs there are in all.

    Raises:
        RecipeError: the recipe has no ladder.
        RunError: some runs failed; the others were run to their end.
    """
    settings = recipes.load(order.recipe, order.variants)
    if not isinstance(settings, Recipe) or not settings.ladder.budgets:
        raise RecipeError(f"{order.recipe} has no [ladder] with budgets to climb")
    points, base = plan(settings.ladder, settings.seed), order.out / BASE

    def done(folder: Path) -> None:
        run_done(folder, 1 + len(points))

    run_steps([Steps(base, (TrainOrder(recipe=settings, goal=AnyTablesGoal(), out=base),))], 1, machine, done)
    data, variant = RunDir(base).asked().data, " ".join(order.variants)
    write_ladder(order.out, Ladder(data=data, recipe=order.recipe, variant=variant, points=points))
    run_steps([_steps(order, point, settings) for point in points], order.side_by_side, machine, done)
    return len(points)


def sweep(order: SweepOrder, machine: Machine) -> int:
    """Train and evaluate what is missing, then draw the curves. Returns how many points there are."""
    points = points_of(order.recipe)
    for point in points:
        folder = order.out / point.name
        train = TrainOrder(recipe=order.recipe, goal=point.goal, out=folder, device=order.device, threads=order.threads)
        jobs.train(train, machine)
        if not evaluation_path(folder, SplitName.TEST).exists():
            jobs.evaluate(EvaluateOrder(source=folder, threads=order.threads), machine)
    draw_sweep(points, order.out, SplitName.TEST)
    return len(points)


def run_steps(all_steps: Sequence[Steps], side_by_side: int, machine: Machine, done: Callable[[Path], None]) -> None:
    """Do jobs in processes of their own, `side_by_side` of them at once.

    Args:
        done: called with the folder of each that ended well.

    Raises:
        RunError: some failed; the others were run to their end.
    """
    with ThreadPoolExecutor(side_by_side) as pool:
        outcomes = [pool.submit(_run, steps, machine, done) for steps in all_steps]
        try:
            failures = [failure for outcome in outcomes if (failure := outcome.result()) is not None]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C: what has not begun stays undone
    if failures:
        raise RunError("\n".join(failures))


def _steps(order: LadderOrder, point: LadderPoint, settings: Recipe) -> Steps:
    """A point's training, and its evaluation where there is none yet."""
    folder = order.out / point.run
    recipe = recipes.load(order.recipe, (*order.variants, *point.variants)).model_copy(update={"seed": point.seed})
    goal = goal_of(point, settings.ladder.rdo_multiplier)
    train = TrainOrder(recipe=recipe, goal=goal, out=folder, start=order.out / BASE)
    is_evaluated = evaluation_path(folder, SplitName.TEST).exists()
    return Steps(folder, (train,) if is_evaluated else (train, EvaluateOrder(source=folder)))


def _run(steps: Steps, machine: Machine, done: Callable[[Path], None]) -> str | None:
    """Do steps in a process of their own; returns what went wrong, None if nothing did."""
    steps.folder.mkdir(parents=True, exist_ok=True)
    try:
        assignment = Assignment(orders=steps.orders, data_dir=machine.data_dir, cache_dir=machine.cache_dir)
        run_apart(assignment, steps.folder / LOG_NAME)
    except RunError as error:
        return str(error)
    done(steps.folder)
    return None
