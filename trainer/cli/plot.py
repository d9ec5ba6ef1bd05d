"""`dctwire-trainer plot`: tables, kernels, rate-accuracy points and a run's curves as PNG pictures."""

from pathlib import Path
from typing import Annotated

import typer

from shared.jpeg import TableSet
from trainer.cli.options import PictureOption, RunArgument
from trainer.export import bundle as exporting
from trainer.jobs import CURVES_NAME, draw_curves
from trainer.paper.evaluation import kernels_of
from trainer.plot import TitledTables, draw_kernels, draw_points, draw_tables, read_points
from trainer.training.run_dir import RunDir

app = typer.Typer(help="Draw tables, kernels, points or a run's curves as a PNG picture.", no_args_is_help=True)


@app.command("tables")
def plot_tables(
    sources: Annotated[list[Path], typer.Argument(help="Runs or bundle folders, one row of the picture each.")],
    out: PictureOption,
) -> None:
    """Heat maps of quantisation tables (Y, Cb, Cr), one row a run or bundle, every step printed."""
    rows, names = [], set()
    for source in sources:
        title, tables, data = _titled(source)
        rows.append(TitledTables(title, tables))
        names.add(data)
    draw_tables(rows, out, f"data set: {', '.join(sorted(names))}")
    typer.echo(f"tables drawn in {out}", err=True)


@app.command("kernels")
def plot_kernels(
    runs: Annotated[list[Path], typer.Argument(help="Runs of the paper's method, one row of the picture each.")],
    out: PictureOption,
) -> None:
    """The paper's Fig. 5: compression kernels, darker where steps are finer."""
    finished = [RunDir(run).finished() for run in runs]
    rows = {run.summary.tables: kernels_of(run) for run in finished}
    draw_kernels(rows, out, f"data set: {', '.join(sorted({run.summary.data for run in finished}))}")
    typer.echo(f"kernels drawn in {out}", err=True)


@app.command("points")
def plot_points(
    points: Annotated[Path, typer.Argument(help="JSON list of {name, bytes, accuracy, low, high}; accuracies 0 to 1.")],
    out: PictureOption,
    data: Annotated[str, typer.Option(help="The data set's name, for the picture's title.")] = "synthetic",
    unit: Annotated[str, typer.Option(help="The unit of the bytes, for the label of the axis.")] = "bytes a frame",
) -> None:
    """Accuracy over bytes a frame, with 95 % intervals."""
    draw_points(read_points(points), out, f"data set: {data}", unit)
    typer.echo(f"points drawn in {out}", err=True)


@app.command("run")
def plot_run(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="PNG file to write. Default: curves.png in the run's folder.")
    ] = None,
) -> None:
    """Loss, accuracy and bytes of a run over its epochs, finished or still at work."""
    path = out or run / CURVES_NAME
    draw_curves(RunDir(run), path)
    typer.echo(f"curves drawn in {path}", err=True)


def _titled(source: Path) -> tuple[str, TableSet, str]:
    if (source / "bundle.json").exists():
        bundle, _ = exporting.read_bundle(source)
        return bundle.name, bundle.tables, bundle.expected.data
    run = RunDir(source).finished()
    return run.summary.tables, run.encoding.tables, run.summary.data
