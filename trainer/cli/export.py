"""`dctwire-trainer export`: a finished run as a folder that a server takes."""

from pathlib import Path
from typing import Annotated

import typer

from shared.bundle import Bundle, Disagreement, Reference
from trainer import jobs
from trainer.cli.next_steps import after_export, rollout
from trainer.cli.options import CacheOption, DataOption, RunArgument, ThreadsOption
from trainer.cli.program import Program
from trainer.cli.tables import fallback_table
from trainer.export.fallback import FallbackEvaluation
from trainer.export.golden import GoldenPictures
from trainer.export.reference import BASELINE_QUALITY
from trainer.jobs import Exported, ExportOrder


def export(
    context: typer.Context,
    run: RunArgument,
    family: Annotated[str, typer.Option(help="The task's line of bundles, e.g. doorbell.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    counter: Annotated[
        int | None, typer.Option(min=1, help="Version of the bundle; must grow within a family. A fallback has none.")
    ] = None,
    after: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The exported bundle that this one follows: how often the two differ is measured."
        ),
    ] = None,
    baseline_quality: Annotated[
        float,
        typer.Option(
            min=1, max=100, help="Of the ordinary JPEG that a server compares bytes with; the same for all of a family."
        ),
    ] = BASELINE_QUALITY,
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

    With --after it also says how often the bundle before names another label of the same validation picture, which
    `probes` gates of rollouts compare with what cameras send.

    A run of any tables has none for cameras: it becomes the server's fallback, fallback.json in place of bundle.json.
    """
    program = Program.of(context)
    order = ExportOrder(
        run=run,
        out=out,
        family=family,
        counter=counter,
        after=after,
        baseline_quality=baseline_quality,
        min_counter=min_counter,
        selftest_seed=selftest_seed,
        golden=golden,
        threads=threads,
    )
    exported = jobs.export(order, program.machine(data_dir, cache_dir))
    if isinstance(exported.figures, FallbackEvaluation):
        program.terminal.show(fallback_table(exported.figures))
    for line in described(exported, out):
        program.terminal.say(line)


def described(exported: Exported, out: Path) -> list[str]:
    """Describe in a few lines what an export has written."""
    description, figures, twin = exported.description, exported.figures, exported.twin.describe()
    if isinstance(figures, FallbackEvaluation):
        return [
            twin,
            f"fallback of {description.family} in {out}: for servers, it reads frames of any tables",
            f"next: {after_export(out, assigns=False)}",
        ]
    assert isinstance(description, Bundle)
    bundle = (
        f"{description.name} in {out}: {figures.tables}, tables {description.tables.tables_id}, "
        f"accuracy {figures.accuracy:.1%} (95 % interval {figures.low:.1%} to {figures.high:.1%}) "
        f"at {figures.scan.mean:.1f} scan bytes on {figures.data} (validation, n = {figures.n})"
    )
    assert exported.reference is not None
    said = [bundle, twin, *reference_words(exported.reference)]
    disagreement = exported.reference.disagreement
    if disagreement is None:
        return [*said, f"next: {after_export(out, assigns=True)}"]
    return [
        *said,
        disagreement_words(description.family, disagreement),
        f"next: {after_export(out, assigns=False)}",
        f"then: {rollout(description.family, description.counter)}",
    ]


def reference_words(reference: Reference) -> list[str]:
    """Say how a server will know what is right and what is saved, as far as that was measured."""
    said = []
    if reference.temperature is not None:
        said.append(
            f"temperature {reference.temperature:.2f}: a server divides logits by it, so that of the answers with a "
            "confidence of 90% nine in ten are right"
        )
    if (factor := reference.baseline_factor) is not None:
        said.append(
            f"baseline factor {factor.factor:.3f}: ordinary JPEG of quality {factor.quality:g} has so many times the "
            "bytes that a server finds when it makes it of the bundle's frames"
        )
    return said


def disagreement_words(family: str, measured: Disagreement) -> str:
    """Say how often a bundle and the one before it differ."""
    return (
        f"names another label than {family}/{measured.counter} on {measured.share:.1%} of {measured.n:,} validation "
        "pictures, each as the cameras of either would send it: what `probes` gates of a rollout compare with"
    )
