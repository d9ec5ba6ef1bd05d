"""What people read: tables and lines on the terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from sensor_client import status_words
from sensor_client.offline import EncodedPicture
from sensor_client.status import Status
from shared.jpeg import Stream, TableSet
from shared.plain_text import escaped

NAME_MAX_CHARACTERS = 34
"""Of a fact's name on one line: the rest is for what is said of it."""


def print_encoded(pictures: Iterable[EncodedPicture], total: int, tables: TableSet, stream: Stream) -> None:
    """Encode, showing how far it is, and print what it cost."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        rows = list(progress.track(pictures, total=total, description="encoding"))
    Console().print(encoded_table(rows, tables, stream))


def print_status(status: Status) -> None:
    """Print the status as a table."""
    Console().print(status_table(status))


def encoded_table(pictures: Sequence[EncodedPicture], tables: TableSet, stream: Stream) -> Table:
    """Bytes of each picture, and their mean."""
    table = Table(title=f"{stream} JPEG with tables {tables.tables_id}, bytes")
    table.add_column("picture", overflow="fold")
    for heading in ("size", "stream", "of it scan", "with tables inside"):
        table.add_column(heading, justify="right")
    for picture in pictures:
        size = f"{picture.width} x {picture.height}"
        counts = (picture.stream_bytes, picture.scan_bytes, picture.interchange_bytes)
        table.add_row(_shown(str(picture.path)), size, *map(str, counts))
    if len(pictures) > 1:
        table.add_section()
        table.add_row("mean", "", *(f"{mean:.1f}" for mean in _means(pictures)))
    return table


def status_table(status: Status) -> Table:
    """The status, one line a fact, in words."""
    table = Table(show_header=False)
    table.add_column(max_width=NAME_MAX_CHARACTERS, overflow="fold")
    table.add_column(overflow="fold")
    for rows in (status_words.facts(status), status_words.counts(status), status_words.unreadable(status)):
        for name, said in rows:
            table.add_row(name, _shown(said))
        table.add_section()
    return table


def _shown(text: str) -> str:
    """A text as a terminal takes it, whoever sent it."""
    return escape(escaped(text))


def _means(pictures: Sequence[EncodedPicture]) -> tuple[float, ...]:
    rows = [(picture.stream_bytes, picture.scan_bytes, picture.interchange_bytes) for picture in pictures]
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
