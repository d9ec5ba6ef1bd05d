"""A training as people read it: `report.md`, and `report.html` with the same and its plots in one file."""

import base64
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trainer.field.left_out import told
from trainer.plot import PairBar, draw_changes, draw_pairs
from trainer.service.document import commands_of
from trainer.service.figures import Measured, PairFigures
from trainer.service.job_state import Attempt, Job, JobFolder
from trainer.whole_file import write_whole

CLASSES_SHOWN = 40  # those that change most
MIB = 2**20
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #22303c; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { text-align: left; padding: .25rem .75rem;
border-bottom: 1px solid #d9dee2; vertical-align: top; } img { max-width: 100%; } code { background: #eef1f3; }
"""


@dataclass(frozen=True)
class Table:
    """Rows under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A plot in the training's folder, and what it shows."""

    file: str
    words: str


@dataclass(frozen=True)
class Code:
    """Commands to type."""

    lines: tuple[str, ...]


Block = str | Table | Picture | Code


@dataclass(frozen=True)
class Part:
    """A heading and what stands under it."""

    heading: str
    blocks: tuple[Block, ...]


def write_report(folder: JobFolder, job: Job) -> None:
    """Write both files, and the plots that they show; what is there is written anew."""
    parts = [*_parts(job, [*_pictures(folder.path, job)])]
    title = f"Training {job.run} of {job.family}"
    markdown, page = as_markdown(title, parts), as_html(title, parts, folder.path)
    write_whole(folder.path / "report.md", lambda file: file.write(markdown.encode()))
    write_whole(folder.path / "report.html", lambda file: file.write(page.encode()))


def as_markdown(title: str, parts: Sequence[Part]) -> str:
    """The report as Markdown."""
    lines = [f"# {_line(title)}"]
    for part in parts:
        lines += ["", f"## {part.heading}"]
        for block in part.blocks:
            lines += ["", *_markdown(block)]
    return "\n".join(lines) + "\n"


def as_html(title: str, parts: Sequence[Part], folder: Path) -> str:
    """The report as one HTML file that loads nothing: its plots are inside."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    for part in parts:
        body.append(f"<h2>{html.escape(part.heading)}</h2>")
        body += [_html(block, folder) for block in part.blocks]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _parts(job: Job, pictures: Sequence[Picture]) -> Iterator[Part]:
    yield Part("What came of it", tuple(_outcome(job)))
    attempt = job.deciding
    for each in job.attempts:
        if each.verdicts:
            yield Part(f"What the gates say of the new {each.kind.value}", (_verdicts(each),))
    if attempt is not None and attempt.measured is not None:
        yield Part("What was measured", (_figures(attempt.measured), *pictures))
        yield Part("Class by class", (_classes(attempt.measured.holdout),))
    yield Part("What it learned from", tuple(_data(job, attempt)))
    yield Part("What it cost", (_cost(job),))
    if attempt is not None:
        yield Part("Which files these are", (_digests(job, attempt),))


def _outcome(job: Job) -> Iterator[Block]:
    if job.ended is not None:
        yield f"It ended as **{job.ended.outcome.value}** at {_moment(job.ended.at)}: {job.ended.reason}."
    yield f"It began at {_moment(job.began_at)} because of **{job.trigger.value}**: {job.reason}."
    if job.champion is not None:
        new = "" if job.published is None else f" Its bundle is {job.family}/{job.counter}."
        yield f"It went on from {job.family}/{job.champion.counter}.{new}"
    if commands := commands_of(job):
        yield "For it to go on, somebody types:"
        yield Code(commands)


def _verdicts(attempt: Attempt) -> Table:
    rows = tuple((each.gate.value, each.opinion.value, each.words) for each in attempt.verdicts)
    return Table(("gate", "verdict", "why"), rows)


def _figures(measured: Measured) -> Table:
    rows = [row for pair in _pairs(measured) for row in _pair_rows(pair)]
    rows.append(("budget, scan bytes a frame", "", f"{measured.budget:.1f}", ""))
    error = measured.calibration
    rows.append(("calibration error", "", f"{error.error:.1%}", f"n = {error.n}, temperature {error.temperature:.2f}"))
    twin = measured.int8
    rows.append(("in eight bits, right", f"{twin.float_right} (float32)", f"{twin.right}", f"n = {twin.n}"))
    return Table(("", "champion", "challenger", "difference"), tuple(rows))


def _pairs(measured: Measured) -> tuple[PairFigures, ...]:
    return (measured.holdout, *(() if measured.recent is None else (measured.recent,)))


def _pair_rows(pair: PairFigures) -> Iterator[tuple[str, str, str, str]]:
    gain = f"{100 * pair.gain:+.2f} points ({100 * pair.low:+.2f} to {100 * pair.high:+.2f}), McNemar p = {pair.p:.2g}"
    yield f"accuracy, {pair.name}, n = {pair.n}", _share(pair.champion), _share(pair.challenger), gain
    yield f"alone right, {pair.name}", str(pair.only_champion), str(pair.only_challenger), ""
    change = f"{100 * (pair.challenger_bytes / pair.champion_bytes - 1):+.1f} %"
    yield f"scan bytes a frame, {pair.name}", f"{pair.champion_bytes:.1f}", f"{pair.challenger_bytes:.1f}", change


def _classes(pair: PairFigures) -> Table:
    worst = sorted(pair.classes, key=lambda each: -each.lost / max(each.n, 1))[:CLASSES_SHOWN]
    rows = tuple(
        (each.label, str(each.n), str(each.champion_right), str(each.challenger_right), f"{-each.lost:+d}")
        for each in worst
    )
    return Table(("class", "frames", "champion right", "challenger right", "change"), rows)


def _data(job: Job, attempt: Attempt | None) -> Iterator[Block]:
    if job.pulled is not None:
        left_out = ", ".join(f"{count} {cause}" for cause, count in job.pulled.left_out.items() if count) or "none"
        yield (
            f"The export of labelled frames holds {job.pulled.frames} of {job.pulled.classes} classes, "
            f"{job.pulled.fetched} of them new. Left out: {left_out}."
        )
    if attempt is not None and attempt.learned is not None:
        rows = tuple((name, str(count)) for name, count in attempt.learned.sources.items())
        yield Table(("source", "frames"), rows)
        yield f"Of the export's frames these are not learned from: {told(attempt.learned.left_out)}."
        if attempt.learned.set_aside:
            yield "Labels of these devices were set aside:"
            yield Table(("device", "why"), tuple((each.device, each.why) for each in attempt.learned.set_aside))


def _cost(job: Job) -> Table:
    rows = [(name, f"{seconds:.1f} s") for name, seconds in job.steps.items()]
    rows.append(("all steps, wall time", f"{job.cost.wall_seconds:.1f} s"))
    rows.append(("processor time of trainings", f"{job.cost.cpu_seconds:.1f} s"))
    rows.append(("most memory of one process", f"{job.cost.peak_bytes / MIB:.0f} MiB"))
    rows.append(("times begun", str(job.starts)))
    return Table(("", "took"), tuple(rows))


def _digests(job: Job, attempt: Attempt) -> Table:
    rows = []
    if attempt.learned is not None:
        rows += [("data", attempt.learned.data_digest), ("recipe", attempt.learned.recipe_digest)]
    if attempt.measured is not None:
        measured = attempt.measured
        rows += [(f"bundle {measured.bundle}", measured.bundle_sha256), ("classifier", measured.classifier_sha256)]
        rows += [("tables", measured.tables_id), ("the champion's tables", measured.champion_tables_id)]
    rows.append(("service", job.worker))
    return Table(("what", "digest or name"), tuple(rows))


def _pictures(folder: Path, job: Job) -> Iterator[Picture]:
    attempt = job.deciding
    if attempt is None or attempt.measured is None:
        return
    measured = attempt.measured
    bars = [PairBar(pair.name, pair.n, pair.champion, pair.challenger) for pair in _pairs(measured)]
    draw_pairs(bars, folder / "accuracy.png", f"{measured.champion} and {measured.bundle}")
    yield Picture("accuracy.png", "Accuracy of champion and challenger, with 95 % intervals")
    changes = {each.label: -each.lost / each.n for each in measured.holdout.classes if each.n}
    if changes:
        draw_changes(changes, folder / "classes.png", f"{measured.bundle} against {measured.champion}")
        yield Picture("classes.png", "What each class of the holdout gains or loses")


def _markdown(block: Block) -> list[str]:
    match block:
        case Table():
            widths = "|".join("---" for _ in block.headings)
            rows = (block.headings, *block.rows)
            lines = ["| " + " | ".join(_plain(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
            return [lines[0], f"|{widths}|", *lines[1:]]
        case Picture():
            return [f"![{block.words}]({block.file})"]
        case Code():
            return [f"    {_line(line)}" for line in block.lines]
        case _:
            return [_plain(block)]


def _html(block: Block, folder: Path) -> str:
    match block:
        case Table():
            head = "".join(f"<th>{html.escape(cell)}</th>" for cell in block.headings)
            rows = "".join(
                "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows
            )
            return f"<table><tr>{head}</tr>{rows}</table>"
        case Picture():
            data = base64.b64encode((folder / block.file).read_bytes()).decode()
            return f'<p><img alt="{html.escape(block.words)}" src="data:image/png;base64,{data}"></p>'
        case Code():
            return f"<pre><code>{html.escape(chr(10).join(block.lines))}</code></pre>"
        case _:
            return f"<p>{_bold(html.escape(block))}</p>"


def _bold(text: str) -> str:
    """What stands between double asterisks."""
    parts = text.split("**")
    return "".join(f"<strong>{part}</strong>" if index % 2 else part for index, part in enumerate(parts))


def _plain(text: str) -> str:
    """One line of Markdown in which no tag is one."""
    return html.escape(_line(text), quote=False)


def _line(text: str) -> str:
    return " ".join(text.split())


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _share(figure: tuple[float, float, float]) -> str:
    return f"{figure[0]:.1%} ({figure[1]:.1%} to {figure[2]:.1%})"
