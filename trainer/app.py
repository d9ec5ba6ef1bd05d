"""`dctwire-trainer`: the composition root. Only this module reads the clock and the environment and joins the parts."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.markup import escape

from shared.errors import DctwireError
from trainer import comparison as comparing
from trainer.cli import data as data_commands
from trainer.cli import ladder as ladder_command
from trainer.cli import plot as plot_commands
from trainer.cli import zoo as zoo_commands
from trainer.cli.goal_choice import TablesKind, chosen_goal
from trainer.cli.options import CacheOption, DataOption, DeviceOption, RunArgument, ThreadsOption, VariantOption
from trainer.cli.plot import CURVES, draw_curves
from trainer.cli.report import console, evaluation_table, fallback_table, progress_bar, recipe_table
from trainer.data import Dataset, SplitName
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue
from trainer.data.png_files import write_description, write_frames
from trainer.errors import RecipeError, RunError
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.files import evaluation_path
from trainer.export import bundle as exporting
from trainer.export import fallback
from trainer.export.bundle import Exportable
from trainer.export.fallback import FallbackEvaluation
from trainer.export.golden import GoldenPictures
from trainer.methods import evaluate_run, new_training
from trainer.paper import sweep as sweeping
from trainer.recipes import recipe as recipes
from trainer.recipes.goals import AnyTablesGoal
from trainer.recipes.recipe import PaperRecipe, Recipe
from trainer.training.compute import Compute
from trainer.training.fitting import parameter_count
from trainer.training.provenance import provenance
from trainer.training.run_dir import Asked, Finished, RunDir
from trainer.training.running import run_to_end

app = typer.Typer(
    help="Learn JPEG tables together with the classifier that will read them, measure both, export bundles.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(plot_commands.app, name="plot")
app.add_typer(zoo_commands.app, name="zoo")
app.add_typer(data_commands.app, name="data")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A shipped recipe (synthetic-32, cifar100-improved) or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the run; the same command again resumes it.")],
    tables: Annotated[
        TablesKind,
        typer.Option(
            help="`standard`: ordinary JPEG. `learned`: tables of its own. `sensitivity`: made once from the net's "
            "gradients. `any`: a classifier for all tables, which others can start from."
        ),
    ],
    quality: Annotated[float | None, typer.Option(help="With standard tables: IJG quality, 1 to 100.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Scan bytes a frame (mean) to spend; with standard tables instead of --quality."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option("--lambda", min=1e-12, max=1e6, help="With learned tables and the paper's method: its lambda."),
    ] = None,
    rdo: Annotated[
        float | None, typer.Option(help="With standard tables: squared steps a bit is worth in RDO quantisation.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="A finished run, whose net to start from and to learn from."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="In place of the recipe's.")] = None,
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train a classifier for ordinary JPEG, or tables and classifier together for a byte budget.

    [bold]Ordinary JPEG:[/] dctwire-trainer train synthetic-32 --tables standard --quality 50 --out runs/v1

    [bold]Learned:[/] dctwire-trainer train synthetic-32 --tables learned --budget 90 --out runs/v2

    [bold]Many budgets:[/] train --tables any once, then each budget briefly with --init (see `ladder`).

    All take the same number of epochs of the same recipe, so that their figures compare.

    [bold]Stopped, killed, out of power:[/] the same command again goes on from the last checkpoint and ends as it
    would have. [bold]Several processes[/] share every batch: torchrun --nproc-per-node 2 -m trainer.app train ...
    """
    began = time.perf_counter()
    settings = recipes.load(recipe, variant or [])
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    goal = chosen_goal(settings, tables, quality=quality, budget=budget, rdo_multiplier=rdo, weight=weight)
    torch.set_num_threads(threads)
    compute = _compute(device)
    start = RunDir(init).finished() if init else None
    dataset = _dataset(settings, data_dir, cache_dir)
    run = RunDir(out)
    if isinstance(settings, Recipe):
        settings = settings.of_run(goal, is_branch=init is not None)
    asked = Asked(recipe=settings, goal=goal, data=dataset.name, start=str(init) if init else None)
    run.refuse_another(asked)
    if run.is_finished:
        console.print(f"{escape(str(out))} is finished already")
        return
    training = new_training(settings, dataset, goal, compute, start)
    if compute.is_first:
        run.begin(asked)
        run.note_provenance(provenance(compute, threads))
    console.print(f"[bold]{goal.describe()}[/] on {dataset.name}, {parameter_count(training.net):,} parameters")
    try:
        run_to_end(training, run, compute, console)
    except KeyboardInterrupt:
        console.print("stopped; the same command resumes after the last checkpoint")
        raise
    if compute.is_first:
        draw_curves(run, run.folder / CURVES)
    console.print(f"finished in {time.perf_counter() - began:.1f} s: {escape(str(out))}")
    compute.leave()


app.command("ladder")(ladder_command.ladder)


@app.command()
def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe of the paper's method: cifar100-faithful or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs, one each, and their pictures.")],
    variant: VariantOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Train and evaluate every point of the paper's curves, lambdas and JPEG qualities; the same command resumes."""
    settings = recipes.load(recipe, variant or [])
    if not isinstance(settings, PaperRecipe):
        raise RecipeError(f"{recipe} lists no points to sweep: only recipes of the paper's method do")
    points = sweeping.points_of(settings)
    for point in points:
        folder = out / point.name
        tables, quality, weight = sweeping.options_of(point)
        train(
            recipe,
            folder,
            tables,
            quality,
            weight=weight,
            variant=variant,
            device=device,
            threads=threads,
            data_dir=data_dir,
            cache_dir=cache_dir,
        )
        if not evaluation_path(folder, SplitName.TEST).exists():
            _evaluate(folder, SplitName.TEST, recipe, data_dir, cache_dir)
    sweeping.draw_sweep(points, out, SplitName.TEST)
    console.print(f"{len(points)} points in {escape(str(out))}, drawn in file.png and scan.png")


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE_DIR", help="A finished run or an exported bundle.")],
    split: Annotated[SplitName, typer.Option(help="Which pictures; `test` was never looked at in training.")] = (
        SplitName.TEST
    ),
    recipe: Annotated[str, typer.Option(help="With a bundle: the recipe that names its data set.")] = "synthetic-32",
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file as well.")] = None,
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Measure what will happen in the field: real codec, real streams, exported classifier.

    Prints accuracy, PSNR and SSIM with their 95 % intervals, and bytes a frame in three units: scan only, whole JFIF
    file, and the abbreviated frame as sent. A run keeps them as evaluation-SPLIT.json, and each frame's outcome beside
    it, for `compare`. A run of any tables is measured at several, ordinary and random: fallback-SPLIT.json.
    """
    torch.set_num_threads(threads)
    figures = _evaluate(source, split, recipe, data_dir, cache_dir)
    console.print(fallback_table(figures) if isinstance(figures, FallbackEvaluation) else evaluation_table(figures))
    if json_out is not None:
        json_out.write_text(figures.model_dump_json(indent=2) + "\n")
    else:
        print(figures.model_dump_json())


@app.command()
def compare(
    ladder: Annotated[Path, typer.Argument(metavar="LADDER", help="Folder with ladder.json and evaluated runs.")],
    out: Annotated[Path | None, typer.Option(help="Folder for figures and plots. Default: LADDER/comparison")] = None,
    split: Annotated[SplitName, typer.Option(help="Which pictures the runs were evaluated on.")] = SplitName.TEST,
) -> None:
    """Say what learned tables gain: accuracy at equal bytes, BD-rate, bytes at equal accuracy, what each part is worth.

    Reads evaluations only. Writes comparison.json, rate-accuracy.png, wire.png and tables.png.
    """
    results = comparing.read_results(ladder, split)
    comparison = comparing.compare(results)
    comparing.write_comparison(comparison, results, ladder, out or ladder / "comparison")
    for table in comparing.comparison_tables(comparison):
        console.print(table)
    for words in comparison.missing:
        console.print(f"[yellow]missing:[/] {escape(words)}")


@app.command()
def export(
    run: RunArgument,
    family: Annotated[str, typer.Option(help="The task's line of bundles, e.g. doorbell.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    counter: Annotated[
        int | None, typer.Option(min=1, help="Version of the bundle; must grow within a family. A fallback has none.")
    ] = None,
    min_counter: Annotated[int, typer.Option(min=1, help="Oldest version that is still safe to run.")] = 1,
    selftest_seed: Annotated[int, typer.Option(min=0, help="Seed of the devices' self-test picture.")] = 1,
    golden: Annotated[
        GoldenPictures,
        typer.Option(help="Pictures the server tries the classifier with: your held-out ones, or made-up ones."),
    ] = GoldenPictures.HELD_OUT,
    threads: ThreadsOption = 1,
    data_dir: DataOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Write a run as a bundle folder: bundle.json for cameras, the classifier and golden frames for the server.

    A run of any tables has none for cameras: it becomes the server's fallback, fallback.json in place of bundle.json.
    """
    torch.set_num_threads(threads)
    finished, created_at = RunDir(run).finished(), datetime.now(UTC).replace(microsecond=0)
    is_fallback = isinstance(finished.asked.goal, AnyTablesGoal)
    if is_fallback != (counter is None):
        raise RecipeError("a fallback has no versions: no --counter" if is_fallback else "a bundle needs a --counter")
    dataset = _dataset(finished.asked.recipe, data_dir, cache_dir)
    if counter is None:
        _export_fallback(finished, dataset, golden, out, family, created_at)
        return
    parts = exporting.exportable(finished, dataset)
    expected = exporting.measure(parts, dataset, SplitName.VALIDATION, finished.summary.tables).evaluation
    twin = exporting.twin_of(parts, dataset)
    bundle = exporting.write_bundle(
        parts,
        exporting.golden_of(parts, golden, dataset),
        twin,
        expected,
        out,
        family=family,
        counter=counter,
        min_counter=min_counter,
        created_at=created_at,
        selftest_seed=selftest_seed,
    )
    console.print(
        f"[bold]{bundle.name}[/] in {escape(str(out))}: {finished.summary.tables}, tables {bundle.tables.tables_id}, "
        f"accuracy {expected.accuracy:.1%} (95 % interval {expected.low:.1%} to {expected.high:.1%}) "
        f"at {expected.scan.mean:.1f} scan bytes on {expected.data} (validation, n = {expected.n})"
    )
    console.print(twin.describe())


@app.command()
def frames(
    out: Annotated[Path, typer.Option(help="Folder to write <label>/<index>.png into.")],
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many pictures.")] = 256,
    data: Annotated[str, typer.Option(help="`synthetic`, `cifar-100-python` or `tiny-imagenet-200`.")] = "synthetic",
    split: Annotated[SplitName, typer.Option(help="Which pictures; `test` is held out.")] = SplitName.TEST,
    size: Annotated[int, typer.Option(help="Synthetic only: 32 or 64 pixels a side.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the data set.")] = 1,
    data_dir: DataOption = None,
) -> None:
    """Write held-out pictures as PNG files for a simulated camera; sort them by name for a mixed order of labels."""
    settings = recipes.parse_data({"name": data, "seed": seed} | ({"size": size} if data == "synthetic" else {}))
    with progress_bar(console) as progress:
        task = progress.add_task(f"{data}: {split} pictures", total=count)
        pictures, classes, name = _catalogue(data_dir, None, lambda *_: None).pictures(settings, split, count)
        if len(pictures) < count:
            raise RecipeError(f"the {split} split of {name} has {len(pictures)} pictures, not {count}")
        write_description(out, data=name, split=split, count=count)
        write_frames(pictures, classes, out, lambda done: progress.update(task, completed=done))
    console.print(f"{count} {split} pictures of {name} in {escape(str(out))}")


@app.command("recipes")
def list_recipes() -> None:
    """The recipes that come with dctwire, and their variants."""
    rows = [(name, recipes.load(name), recipes.variants_of(name)) for name in recipes.shipped_names()]
    Console().print(recipe_table(rows))


def main() -> None:
    """Entry point: our errors, and the disk's, become one message and exit status 1."""
    try:
        app()
    except (DctwireError, OSError) as error:
        console.quiet = False
        console.print(f"[bold red]error:[/] {escape(str(error))}")
        raise SystemExit(1) from None


def _dataset(recipe: Recipe | PaperRecipe, data_dir: Path | None, cache_dir: Path | None) -> Dataset:
    with progress_bar(console) as progress:
        task = progress.add_task(f"data set {recipe.data.name}", total=None)
        return _catalogue(
            data_dir, cache_dir, lambda done, total: progress.update(task, completed=done, total=total)
        ).load(recipe.data)


def _catalogue(data_dir: Path | None, cache_dir: Path | None, progress: Callable[[int, int], None]) -> Catalogue:
    return Catalogue(data_dir, ArrayCache(cache_dir or Path("~/.cache/dctwire").expanduser()), progress)


def _compute(device: str) -> Compute:
    """This process alone, or one of those that torchrun started, of which only the first one speaks."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Compute.local(device)
    compute = Compute.from_torchrun(os.environ, device)
    console.quiet = not compute.is_first
    return compute


def _export_fallback(
    run: Finished, dataset: Dataset, golden: GoldenPictures, out: Path, family: str, created_at: datetime
) -> None:
    parts = fallback.exportable(run, dataset)
    figures = fallback.measure(parts, dataset, SplitName.VALIDATION)
    golden_frames, twin = fallback.golden_of(parts, golden, dataset), fallback.twin_of(parts, dataset)
    fallback.write_fallback(parts, golden_frames, twin, figures, out, family=family, created_at=created_at)
    console.print(fallback_table(figures))
    console.print(twin.describe())
    console.print(f"[bold]fallback of {family}[/] in {escape(str(out))}: for servers, it reads frames of any tables")


def _evaluate(
    source: Path, split: SplitName, recipe: str, data_dir: Path | None, cache_dir: Path | None
) -> Evaluation | FallbackEvaluation:
    if not (source / "bundle.json").exists():
        run = RunDir(source).finished()
        dataset = _dataset(run.asked.recipe, data_dir, cache_dir)
        return evaluate_run(run, source, dataset, split)
    bundle, files = exporting.read_bundle(source)
    dataset = _dataset(recipes.load(recipe), data_dir, cache_dir)
    if dataset.name != bundle.expected.data:
        raise RunError(f"{source} was made for {bundle.expected.data}, --recipe {recipe} is {dataset.name}")
    return exporting.measure(Exportable.of(bundle, files), dataset, split, bundle.name).evaluation


if __name__ == "__main__":
    main()
