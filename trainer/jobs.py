"""What the trainer does, as plain functions: train, evaluate, export. Command line, series and tests call them alike.

An order says what is wanted and is plain data; a `Machine` says what there is to do it with.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import torch

from shared.bundle import BUNDLE_NAME, FALLBACK_NAME, Bundle, Fallback, Reference
from trainer.data import Dataset, SplitName
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.errors import RecipeError, RunError
from trainer.evaluation.evaluation import Evaluated, Evaluation
from trainer.evaluation.files import write_evaluation
from trainer.export import bundle as bundles
from trainer.export import fallback as fallbacks
from trainer.export.bundle import Exportable
from trainer.export.fallback import FallbackEvaluation
from trainer.export.golden import GoldenPictures
from trainer.export.int8 import EightBits
from trainer.export.predecessor import Predecessor
from trainer.export.reference import BASELINE_QUALITY, reference_of
from trainer.paper import evaluation as paper_evaluation
from trainer.paper.training import PaperMethod
from trainer.plot import draw_confusion, draw_run
from trainer.recipes.for_pictures import FEW_STEPS, STEPS
from trainer.recipes.goals import AnyTablesGoal, Goal, ImprovedGoal, PaperGoal
from trainer.recipes.recipe import AnyRecipe, PaperRecipe, Recipe
from trainer.recipes.toml_text import toml_of
from trainer.training.compute import Compute
from trainer.training.epochs import Method, Training
from trainer.training.fitting import parameter_count
from trainer.training.improved import ImprovedMethod
from trainer.training.provenance import provenance
from trainer.training.reporter import Reporter
from trainer.training.run_dir import ASKED_NAME, Asked, Finished, RunDir
from trainer.training.running import run_to_end
from trainer.zoo.entry import read as read_entry

CURVES_NAME = "curves.png"  # in the run's folder


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a job is done with.

    Args:
        data_dir: the folder that holds data sets from elsewhere, where there is one.
        cache_dir: the folder for generated and decoded pictures.
        compute: this process's place in a training, by the name of a device.
        monotonic: seconds since any moment.
        now: the time of day, with its zone.
        reporter: whom to tell how far the job has come.
    """

    data_dir: Path | None
    cache_dir: Path
    compute: Callable[[str], Compute]
    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    reporter: Reporter

    def dataset(self, recipe: AnyRecipe) -> Dataset:
        """The data set that a recipe names; what a person should know of its pictures is told.

        Raises:
            RecipeError: it needs a data folder, and there is none.
            DatasetError: it is missing or damaged.
        """
        with self.reporter.bar(f"data set {recipe.data.name}") as progress:
            dataset = Catalogue(self.data_dir, ArrayCache(self.cache_dir), progress).load(recipe.data)
        for note in dataset.notes:
            self.reporter.warn("note", note)
        return dataset


@dataclass(frozen=True, kw_only=True)
class TrainOrder:
    """Train one run; the same order again resumes it.

    Args:
        out: folder of the run.
        start: folder of a finished run whose net to start from and to learn from.
        device: `auto`, `cpu`, `cuda` or `cuda:NUMBER`.
        threads: CPU threads.
    """

    recipe: AnyRecipe
    goal: Goal
    out: Path
    start: Path | None = None
    device: str = "auto"
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class EvaluateOrder:
    """Measure a finished run, or a bundle folder, on a split.

    Args:
        source: folder of the run or of the bundle.
        recipe: names a bundle's data set; a run knows its own.
        confusion: where to draw which classes are taken for which; by default in a run's folder, for a bundle nowhere.
        threads: CPU threads.
    """

    source: Path
    split: SplitName = SplitName.TEST
    recipe: AnyRecipe | None = None
    confusion: Path | None = None
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class ExportOrder:
    """Write a finished run as a bundle folder; a run of any tables as a fallback's.

    Args:
        run: folder of the run.
        out: folder to write.
        counter: version of the bundle; None for a fallback, which has no versions.
        after: folder of the bundle that this one follows, if any: how often the two differ goes into `reference.json`.
        baseline_quality: of the ordinary JPEG that a bundle's bytes are compared with; one for all of a family.
        min_counter: oldest version of the bundle that is still safe to run.
        selftest_seed: of the devices' self-test picture.
        threads: CPU threads.
    """

    run: Path
    out: Path
    family: str
    counter: int | None = None
    after: Path | None = None
    baseline_quality: float = BASELINE_QUALITY
    min_counter: int = 1
    selftest_seed: int = 1
    golden: GoldenPictures = GoldenPictures.HELD_OUT
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written, and what was measured for it on validation pictures.

    Args:
        reference: what was measured for the server alone; of a fallback nothing.
    """

    description: Bundle | Fallback
    figures: Evaluation | FallbackEvaluation
    twin: EightBits
    reference: Reference | None = None


def train(order: TrainOrder, machine: Machine) -> None:
    """Train a run to its end, or go on with it; a finished one is left alone.

    Raises:
        RecipeError: recipe, goal, data set, start and processes do not fit together.
        BudgetError: no tables reach the goal's byte budget.
        RunError: another run, or another process, already uses the folder.
        DivergedError: the loss became something else than a number.
    """
    began = machine.monotonic()
    torch.set_num_threads(order.threads)
    with machine.compute(order.device) as compute:
        start = RunDir(order.start).finished() if order.start else None
        dataset = machine.dataset(order.recipe)
        run, asked = RunDir(order.out), _asked(order, dataset)
        run.refuse_another(asked)
        if run.is_finished:
            machine.reporter.say(f"{order.out} is finished already")
            return
        method = _method(asked, dataset, compute, start)
        if start is None and not isinstance(method, PaperMethod):
            _warn_of_few_steps(method, machine.reporter)
        with run.at_work(asked) if compute.is_first else nullcontext():
            if compute.is_first:
                run.keep_recipe(toml_of(order.recipe))
                run.note_provenance(provenance(compute, order.threads))
            to_end(Training(method, machine.monotonic), run, compute, machine.reporter)
        machine.reporter.say(f"finished in {machine.monotonic() - began:.1f} s: {order.out}")


def evaluate(order: EvaluateOrder, machine: Machine) -> Evaluation | FallbackEvaluation:
    """Measure what will happen in the field; a run keeps its figures in its folder, by `evaluation.files`.

    Raises:
        RunError: run or bundle is missing, unfinished or damaged, or the bundle was made for another data set.
        RecipeError, DatasetError: as in `Machine.dataset`.
    """
    torch.set_num_threads(order.threads)
    if (order.source / BUNDLE_NAME).exists():
        evaluated, dataset = _evaluated_bundle(order, machine)
        return _by_class(evaluated, dataset, order, order.confusion, machine).evaluation
    run = RunDir(order.source).finished()
    dataset = machine.dataset(run.asked.recipe)
    if isinstance(run.asked.goal, AnyTablesGoal):
        figures = fallbacks.measure(fallbacks.exportable(run, dataset), dataset, order.split)
        fallbacks.write_evaluation(order.source, figures)
        return figures
    evaluated = _evaluated(run, order.source, dataset, order.split)
    picture = order.confusion or order.source / f"confusion-{order.split}.png"
    evaluated = _by_class(evaluated, dataset, order, picture, machine)
    write_evaluation(order.source, evaluated)
    return evaluated.evaluation


def export(order: ExportOrder, machine: Machine) -> Exported:
    """Write the folder that a server takes.

    Raises:
        RunError: the run is missing, unfinished, damaged, or not one that a server can use; or the bundle that it is to
            follow is missing or damaged.
        RecipeError: family or counter is none that there can be, a fallback was given a counter or a bundle to follow,
            or the run cannot follow that bundle.
        ParityError: torch and ONNX Runtime differ.
    """
    torch.set_num_threads(order.threads)
    created_at = machine.now().replace(microsecond=0)
    run = RunDir(order.run).finished()
    is_fallback = isinstance(run.asked.goal, AnyTablesGoal)
    if is_fallback != (order.counter is None):
        raise RecipeError("a fallback has no versions: no --counter" if is_fallback else "a bundle needs a --counter")
    before = _predecessor(order)
    dataset = machine.dataset(run.asked.recipe)
    if order.counter is None:
        return _export_fallback(order, run, dataset, created_at)
    content = bundles.exportable(run, dataset)
    if before is not None:
        before.require_comparable(content)
    measured = bundles.measure(content, dataset, SplitName.VALIDATION, run.summary.tables)
    reference = reference_of(content, measured.outcomes, dataset, before, order.baseline_quality, machine.reporter)
    twin = bundles.twin_of(content, dataset)
    bundle = bundles.write_bundle(
        content,
        bundles.golden_of(content, order.golden, dataset),
        twin,
        measured.evaluation,
        order.out,
        family=order.family,
        counter=order.counter,
        min_counter=order.min_counter,
        created_at=created_at,
        selftest_seed=order.selftest_seed,
        reference=reference,
    )
    return Exported(description=bundle, figures=measured.evaluation, twin=twin, reference=reference)


def content_of(source: str, zoo: Path, machine: Machine) -> Exportable:
    """The encoding and classifier of a bundle's folder, a run's, or an entry of the zoo.

    Args:
        zoo: the folder of its entries.

    Raises:
        RunError: it is none of these, unfinished or damaged, or has no tables for cameras.
        RecipeError, DatasetError: as in `Machine.dataset`, which a run needs.
    """
    folder = Path(source)
    if (folder / BUNDLE_NAME).exists():
        return Exportable.of(*bundles.read_bundle(folder))
    if (folder / FALLBACK_NAME).exists():
        raise RunError(f"{folder} is a fallback: it has no tables that a camera could encode with")
    if not (folder / ASKED_NAME).exists():
        return read_entry(zoo, source).content
    run = RunDir(folder).finished()
    if isinstance(run.asked.goal, AnyTablesGoal):
        raise RunError(f"{folder} is a run of any tables: it has none that a camera could encode with")
    return bundles.exportable(run, machine.dataset(run.asked.recipe))


def to_end(training: Training[Method], run: RunDir, compute: Compute, reporter: Reporter) -> None:
    """Run what is left of a training, and draw its curves."""
    method = training.method
    goal, data = method.goal.describe(), method.dataset.name
    reporter.say(f"{goal} on {data}, {parameter_count(method.net):,} parameters")
    try:
        run_to_end(training, run, compute, reporter)
    except KeyboardInterrupt:
        reporter.say("stopped; the same command resumes after the last checkpoint")
        raise
    if compute.is_first:
        draw_curves(run, run.folder / CURVES_NAME)


def draw_curves(run: RunDir, path: Path) -> None:
    """Draw a run's figures over the epochs that it has logged."""
    asked = run.asked()
    draw_run(run.logged(), path, f"{asked.goal.describe()}\ndata set: {asked.data}")


def _warn_of_few_steps(method: Method, reporter: Reporter) -> None:
    an_epoch = method.steps_per_epoch
    steps = method.epochs * an_epoch
    if steps < FEW_STEPS:
        reporter.warn(
            "few steps",
            f"{method.epochs} epochs of {an_epoch} steps are {steps} in all, where a net wants about {STEPS:,}: "
            f"its accuracy will be low. Set [optimiser] epochs = {math.ceil(STEPS / an_epoch)}, or a smaller batch",
        )


def _asked(order: TrainOrder, dataset: Dataset) -> Asked:
    recipe = order.recipe
    if isinstance(recipe, Recipe):
        recipe = recipe.of_run(order.goal, is_branch=order.start is not None)
    return Asked(recipe=recipe, goal=order.goal, data=dataset.name, start=str(order.start) if order.start else None)


def _method(asked: Asked, dataset: Dataset, compute: Compute, start: Finished | None) -> Method:
    recipe, goal = asked.recipe, asked.goal
    if isinstance(recipe, PaperRecipe):
        if start is not None:
            raise RecipeError("the paper's method starts from random weights, without --init")
        assert isinstance(goal, PaperGoal)
        return PaperMethod(recipe, dataset, goal, compute)
    if start is not None and (start.asked.recipe.net != recipe.net or start.asked.data != dataset.name):
        raise RecipeError("--init must be a run of the same net and data set")
    assert isinstance(goal, ImprovedGoal)
    return ImprovedMethod(recipe, dataset, goal, compute, start.net_state if start else None)


def _evaluated_bundle(order: EvaluateOrder, machine: Machine) -> tuple[Evaluated, Dataset]:
    bundle, files = bundles.read_bundle(order.source)
    if order.recipe is None:
        raise RecipeError(
            f"{order.source} is a bundle, made for {bundle.expected.data}: name a recipe of that data set, as "
            "--recipe RUN/recipe.toml, RUN being the folder that the bundle was exported from"
        )
    dataset = machine.dataset(order.recipe)
    if dataset.name != bundle.expected.data:
        raise RunError(f"{order.source} was made for {bundle.expected.data}, the recipe's data set is {dataset.name}")
    return bundles.measure(Exportable.of(bundle, files), dataset, order.split, bundle.name), dataset


def _by_class(
    evaluated: Evaluated, dataset: Dataset, order: EvaluateOrder, picture: Path | None, machine: Machine
) -> Evaluated:
    """The figures class by class as well, drawn where a picture is wanted."""
    truth, figures = dataset.split(order.split).labels, evaluated.evaluation
    if picture is not None:
        counts = evaluated.confusion(truth, len(dataset.classes))
        title = f"{figures.tables} on {figures.data} ({figures.split}, n = {figures.n})"
        draw_confusion(counts, dataset.classes, picture, title)
        machine.reporter.say(f"which class is taken for which: drawn in {picture}\n")
    return evaluated.with_classes(truth, dataset.classes)


def _evaluated(run: Finished, folder: Path, dataset: Dataset, split: SplitName) -> Evaluated:
    """A run of the paper's method also keeps its literal figures in its folder."""
    if not isinstance(run.asked.recipe, PaperRecipe):
        return bundles.measure(bundles.exportable(run, dataset), dataset, split, run.summary.tables)
    model = paper_evaluation.finished_model(run, dataset)
    paper_evaluation.write_literal(folder, paper_evaluation.measure_literal(run, model, dataset, split))
    return paper_evaluation.measure_compliant(run, model, dataset, split)


def _predecessor(order: ExportOrder) -> Predecessor | None:
    """The bundle that is followed, refused before any picture is made where it cannot be."""
    if order.after is None:
        return None
    if order.counter is None:
        raise RecipeError("a fallback has no versions and follows none: no --after")
    before = Predecessor.read(order.after)
    before.require_before(order.family, order.counter)
    return before


def _export_fallback(order: ExportOrder, run: Finished, dataset: Dataset, created_at: datetime) -> Exported:
    content = fallbacks.exportable(run, dataset)
    figures = fallbacks.measure(content, dataset, SplitName.VALIDATION)
    golden, twin = fallbacks.golden_of(content, order.golden, dataset), fallbacks.twin_of(content, dataset)
    write = partial(fallbacks.write_fallback, content, golden, twin, figures, order.out)
    return Exported(description=write(family=order.family, created_at=created_at), figures=figures, twin=twin)
