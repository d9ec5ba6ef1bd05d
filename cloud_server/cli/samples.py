"""`dctwire samples`: look at kept frames, say what they really show, hand them to the trainer."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cloud_server.cli.known_names import device_looked_up, require_known, warn_of_unknown
from cloud_server.cli.options import DEFAULT_SERVER, TIME_FORMS, AsJson, Family, Server, connected, moment_of, seconds
from cloud_server.cli.output import say, show_json, show_table, tell
from cloud_server.cli.sample_export import Exporter, Usable, set_aside_devices
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.reasons import Reason
from shared.wire import LabelSource

HINTS = {
    "conflict": "Label the frame that the error names",
    "not-found": "See which frames were kept with: dctwire samples list",
    "export-folder": "Name a new folder, or an earlier export of the same family",
}
COLUMNS = {
    "frame_id": "frame",
    "family": "family",
    "reason": "reason",
    "of": "detail of",
    "answer": "answer",
    "confidence": "confidence",
    "match": "match",
    "label": "label",
    "source": "source",
    "stored_at": "kept",
}
FrameName = Annotated[str, typer.Argument(help="The frame's id, as answers and lists give it.", metavar="FRAME_ID")]
Moment = Annotated[datetime | None, typer.Option(metavar="TIME", parser=moment_of, help=TIME_FORMS)]

samples = typer.Typer(help="Frames that were kept: list, fetch, label, export.", no_args_is_help=True)


@samples.command("list")
def list_samples(
    family: Annotated[str | None, typer.Option(help="List only samples of this family.")] = None,
    reason: Annotated[
        Reason | None, typer.Option(metavar="REASON", help=f"List only samples kept for this: {', '.join(Reason)}.")
    ] = None,
    detail: Annotated[
        bool | None, typer.Option("--details/--frames", help="List only details, or only frames.")
    ] = None,
    labelled: Annotated[
        bool | None, typer.Option("--labelled/--unlabelled", help="List only samples with, or without, a label.")
    ] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Annotated[int, typer.Option(metavar="COUNT", min=1, max=500, help="The most samples to list.")] = 50,
    before: Annotated[
        int | None, typer.Option(metavar="ROW", min=1, help="List older samples only: the `next` of the page before.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List kept frames, newest first.

    Example: dctwire samples list --family digits --reason disagreement --unlabelled
    """
    wanted = {
        "family": family,
        "reason": reason and reason.value,
        "detail": detail,
        "labelled": labelled,
        "since": seconds(since),
        "until": seconds(until),
        "limit": limit,
        "before": before,
    }
    with connected(server, as_json=as_json, hints=HINTS) as client:
        page = client.get("/v1/samples", {name: value for name, value in wanted.items() if value is not None})
        if as_json:
            show_json(page)
            return
        if family is not None and not page["samples"]:
            warn_of_unknown(client, family)
        show_table("Samples", page["samples"], COLUMNS, "No frame that fits was kept.")
        if page["next"]:
            say(f"For older samples, repeat the command with --before {page['next']}.")


@samples.command("get")
def get_sample(
    frame_id: FrameName,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; FRAME_ID.jpg by default.", metavar="FILE")
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Fetch one kept frame as an ordinary JPEG file, and show what is known of it.

    Example: dctwire samples get k3v9w2xa.17
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        frame = FrameId.parse(frame_id)
        with device_looked_up(client, frame.device):
            sample = client.get(f"/v1/samples/{frame}")
        path = out or Path(f"{frame}.jpg")
        path.write_bytes(client.get_bytes(f"/v1/samples/{frame}/jpeg"))
        if as_json:
            show_json(sample | {"file": str(path)})
        else:
            show_table("Sample", [sample], COLUMNS, "")
            say(f"Written to {path}.")


@samples.command("label")
def label_sample(
    frame_id: FrameName,
    label: Annotated[str, typer.Argument(help="What the frame really shows.")],
    source: Annotated[
        LabelSource, typer.Option(help="Who found the label out; an audit overrules a person.")
    ] = LabelSource.HUMAN,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Say what an answered frame really showed; it need not be among the samples.

    Example: dctwire samples label k3v9w2xa.17 seven
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        frame = FrameId.parse(frame_id)
        with device_looked_up(client, frame.device):
            said = client.put(f"/v1/frames/{frame}/label", {"label": label, "source": source.value})
        tell(said, _what_came_of(said), as_json=as_json)


@samples.command("export")
def export_samples(
    family: Family,
    directory: Annotated[Path, typer.Argument(help="A new folder, or an earlier export of the family.", metavar="DIR")],
    test_share: Annotated[
        float, typer.Option(min=0, max=0.9, help="The share of each class that is kept for testing.")
    ] = 0.2,
    with_fallback: Annotated[
        bool, typer.Option("--with-fallback", help="Also export frames whose tables were not the classifier's own.")
    ] = False,
    with_resized: Annotated[
        bool, typer.Option("--with-resized", help="Also export frames that had not the classifier's size.")
    ] = False,
    with_foreign: Annotated[
        bool, typer.Option("--with-foreign", help="Also export labels that the family's classifiers do not know.")
    ] = False,
    with_quarantined: Annotated[
        bool, typer.Option("--with-quarantined", help="Also export frames of devices in quarantine.")
    ] = False,
    with_revoked: Annotated[
        bool, typer.Option("--with-revoked", help="Also export frames of devices that are revoked.")
    ] = False,
    details: Annotated[
        bool, typer.Option("--details", help="Also export details, finer pictures to learn tables from.")
    ] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Write FAMILY's labelled frames as a tree of pictures, a folder a class, for dctwire-trainer.

    The same command again adds what is new, moves what was labelled anew, deletes what belongs to devices that were
    forgotten, and goes on where it was stopped.

    Example: dctwire samples export digits field/digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        require_known(client, family)
        usable = Usable(
            fallback=with_fallback,
            resized=with_resized,
            foreign=with_foreign,
            quarantined=with_quarantined,
            revoked=with_revoked,
            details=details,
        )
        exporter = Exporter(client, family, directory, usable, test_share)
        with _progress(quiet=as_json) as progress:
            task = progress.add_task(family, total=None)
            done = exporter.run(lambda fetched, total: progress.update(task, completed=fetched, total=total))
        tell(done, what_was_exported(done), as_json=as_json)


@samples.command("set-aside")
def list_set_aside(family: Family, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List FAMILY's devices whose frames nobody shall learn from: forgotten, in quarantine, or revoked.

    Example: dctwire samples set-aside digits
    """
    with connected(server, as_json=as_json, hints=HINTS) as client:
        require_known(client, family)
        devices = list(set_aside_devices(client, family))
        if as_json:
            show_json({"devices": devices})
        else:
            show_table("Set aside", devices, {"device_id": "device", "why": "why"}, "No device is set aside.")


def _progress(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, quiet=quiet))


def _what_came_of(said: dict[str, Any]) -> str:
    if not said["stands"]:
        return f"Frame {said['frame_id']} keeps its label: one of higher authority is there."
    verdict = "right" if said["is_correct"] else "wrong"
    text = f"Frame {said['frame_id']} is labelled {said['label']!r}; the answer was {verdict}."
    if said["is_foreign"]:
        text += "\nNo classifier of the family knows this label. If it is a slip, label the frame again."
    return text


def what_was_exported(done: dict[str, Any]) -> str:
    """Describe in lines what an export has done."""
    counts = ", ".join(f"{count} {split}" for split, count in done["splits"].items() if count or split != "details")
    frames = "1 frame" if done["frames"] == 1 else f"{done['frames']} frames"
    classes = "1 class" if done["classes"] == 1 else f"{done['classes']} classes"
    lines = [
        f"{done['directory']} holds {frames} of {classes}: {counts}.",
        f"{done['fetched']} of them {'is' if done['fetched'] == 1 else 'are'} new.",
    ]
    left_out = [f"{count} {cause}" for cause, count in done["left_out"].items() if count]
    if left_out:
        lines.append(f"Left out: {', '.join(left_out)}.")
    if done["splits"]["waiting"]:
        lines.append("A class needs two frames to be trained on and measured; until then its frame waits.")
    if done["classes"] < 2:
        lines.append("Training needs two classes. Label more frames with: dctwire samples label FRAME_ID LABEL")
    return "\n".join(lines)
