"""What people read: tables and lines on the terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from sensor_client.offline import EncodedPicture
from sensor_client.status import Status
from shared.jpeg import Stream, TableSet

UNREADABLE_SHOWN = 10  # pictures named in the table


def encoded_table(pictures: Sequence[EncodedPicture], tables: TableSet, stream: Stream) -> Table:
    """Bytes of each picture, and their mean."""
    table = Table(title=f"{stream} JPEG with tables {tables.tables_id}, bytes")
    table.add_column("picture", overflow="fold")
    for heading in ("size", "stream", "of it scan", "with tables inside"):
        table.add_column(heading, justify="right")
    for picture in pictures:
        size = f"{picture.width} x {picture.height}"
        counts = (picture.stream_bytes, picture.scan_bytes, picture.interchange_bytes)
        table.add_row(str(picture.path), size, *map(str, counts))
    if len(pictures) > 1:
        table.add_section()
        table.add_row("mean", "", *(f"{mean:.1f}" for mean in _means(pictures)))
    return table


def status_table(status: Status) -> Table:
    """The status, one line a fact."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in status.model_dump(
        mode="json", exclude={"counters", "last_refused", "unreadable_pictures"}
    ).items():
        table.add_row(name.replace("_", " "), "-" if value is None else str(value))
    if status.last_refused is not None:
        refused = status.last_refused
        table.add_row("last refused", f"{refused.target} ({refused.code}): {refused.reason}")
    table.add_section()
    for name, count in status.counters.items():
        table.add_row(name.replace("_", " "), str(count))
    for picture in status.unreadable_pictures[:UNREADABLE_SHOWN]:
        times = "once" if picture.times == 1 else f"{picture.times} times"
        table.add_row("unreadable picture", escape(f"{picture.name}: {picture.reason} (met {times})"))
    if len(status.unreadable_pictures) > UNREADABLE_SHOWN:
        more = len(status.unreadable_pictures) - UNREADABLE_SHOWN
        table.add_row("", f"and {more} more, see status --json")
    return table


def _means(pictures: Sequence[EncodedPicture]) -> tuple[float, ...]:
    rows = [(picture.stream_bytes, picture.scan_bytes, picture.interchange_bytes) for picture in pictures]
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
