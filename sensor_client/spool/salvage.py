"""What can still be read of a damaged spool: rows before, behind and between what is damaged, each one checked."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sensor_client.spool.checksums import is_as_stored
from sensor_client.spool.database import Connection, connect, is_damage
from sensor_client.spool.records import Priority
from sensor_client.spool.schema import make_schema
from shared.wire import SEQUENCE_MAX, Kind

GAP_MAX = 100_000
"""So many numbers are tried one by one between two readable stretches of a table: a second or so."""

Row: TypeAlias = dict[str, Any]
_Is: TypeAlias = Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < SEQUENCE_MAX


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes)


def _or_none(is_it: _Is) -> _Is:
    return lambda value: value is None or is_it(value)


def _one_of(values: Sequence[object]) -> _Is:
    return lambda value: value in values


FRAMES: dict[str, _Is] = {
    "sequence": _is_number,
    "captured_at_ms": _is_number,
    "tables_id": _or_none(_is_text),
    "target": _or_none(_is_text),
    "body": _is_bytes,
    "label": _or_none(_is_text),
    "kind": _or_none(_one_of([kind.value for kind in Kind])),
    "companion_of": _or_none(_is_number),
    "priority": _one_of(list(Priority)),
    "uptime_ms": _or_none(_is_number),
    "body_crc": _or_none(_is_number),
}
"""The columns of frames, and what stands in each: a row where anything else does is damaged."""
DEAD_LETTERS: dict[str, _Is] = {
    "sequence": _is_number,
    "captured_at_ms": _is_number,
    "status": _is_number,
    "code": _is_text,
    "detail": _is_text,
    "body": _is_bytes,
}
ORIGINS: dict[str, _Is] = {name: FRAMES[name] for name in ("sequence", "tables_id", "target", "label", "priority")}
LABELS: dict[str, _Is] = {"sequence": _is_number, "label": _is_text}
TABLES: dict[str, _Is] = {"tables_id": _is_text, "stream": _is_bytes}
COUNTERS: dict[str, _Is] = {"name": _is_text, "value": lambda value: isinstance(value, int)}


@contextlib.contextmanager
def reading_damaged(path: Path) -> Iterator[Connection | None]:
    """A connection to a damaged file; None where nothing of it can be read.

    Where its first page is damaged, which says what stands where, it is replaced by that of a new spool: the first
    tables of all spools begin on the same pages.
    """
    for attempt in range(2):
        connection = _opened(path)
        if connection is not None:
            try:
                yield connection
            finally:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
            return
        if attempt == 0 and not _replace_first_page(path):
            break
    yield None


def numbered_rows(connection: Connection, table: str, columns: dict[str, _Is]) -> Iterator[Row]:
    """The whole rows of a table that is ordered by `sequence`: from its start, from its end, and one by one between."""
    known = _known_columns(connection, table, columns)
    if "sequence" not in known:
        return
    query = f"SELECT {', '.join(known)} FROM {table} NOT INDEXED WHERE sequence"  # noqa: S608 - names of ours
    low, high = -1, SEQUENCE_MAX
    forward = _UntilDamage(connection, f"{query} >= 0 ORDER BY sequence", known)
    for row in forward:
        if _is_number(row["sequence"]):
            low = row["sequence"]
            yield from _whole(row, columns)
    if not forward.met_damage:
        return
    for row in _UntilDamage(connection, f"{query} > ? ORDER BY sequence DESC", known, low):
        if _is_number(row["sequence"]):
            high = row["sequence"]
            yield from _whole(row, columns)
    given = highest_number(connection)
    last = min(high - 1, low + GAP_MAX, SEQUENCE_MAX if given is None else given)
    for sequence in range(low + 1, last + 1):
        for row in _UntilDamage(connection, f"{query} = ?", known, sequence):
            yield from _whole(row, columns)


def named_rows(connection: Connection, table: str, columns: dict[str, _Is]) -> Iterator[Row]:
    """The whole rows of a table that is ordered by its first column: from its start, then from its end."""
    known = _known_columns(connection, table, columns)
    key = next(iter(columns))
    if key not in known:
        return
    found: set[object] = set()
    for order in ("ASC", "DESC"):
        query = f"SELECT {', '.join(known)} FROM {table} ORDER BY {key} {order}"  # noqa: S608 - names of ours
        for row in _UntilDamage(connection, query, known):
            if row.get(key) not in found:
                found.add(row.get(key))
                yield from _whole(row, columns)


def highest_number(connection: Connection) -> int | None:
    """The highest number that was given to a frame; None where that cannot be read."""
    rows = _UntilDamage(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'frames'", ["seq"])
    return next((int(row["seq"]) for row in rows if _is_number(row["seq"])), None)


def _opened(path: Path) -> Connection | None:
    try:
        connection = connect(path)
    except sqlite3.Error:
        return None
    try:
        # It also lets a file be read that is shorter than it says.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT sequence FROM frames LIMIT 0")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        return None
    return connection


def _replace_first_page(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        make_schema(fresh)
        page_bytes: int = fresh.execute("PRAGMA page_size").fetchone()[0]
        page = bytearray(fresh.serialize()[:page_bytes])
    pages = path.stat().st_size // page_bytes
    if pages < 2:
        return False
    page[18:20] = b"\x02\x02"  # it has a write-ahead log
    page[28:40] = pages.to_bytes(4, "big") + bytes(8)  # its pages; none of them are free
    page[92:96] = page[24:28]  # the number of pages is valid
    with path.open("r+b") as file:
        file.write(page)
    return True


def _known_columns(connection: Connection, table: str, columns: dict[str, _Is]) -> list[str]:
    query = "SELECT name FROM pragma_table_info(?)"
    there = {row["name"] for row in _UntilDamage(connection, query, ["name"], table)}
    return [name for name in columns if name in there]


class _UntilDamage:
    """The rows that a query gives before it meets damage."""

    def __init__(self, connection: Connection, query: str, names: Sequence[str], *values: object) -> None:
        self._connection = connection
        self._query = query
        self._names = names
        self._values = values
        self.met_damage = False

    def __iter__(self) -> Iterator[Row]:
        try:
            cursor = self._connection.execute(self._query, self._values)
            while (row := cursor.fetchone()) is not None:
                yield dict(zip(self._names, row, strict=True))
        except sqlite3.Error as error:
            _require_damage(error)
            self.met_damage = True


def _require_damage(error: sqlite3.Error) -> None:
    """Go on where it is the file that is damaged; anything else may be over in a moment."""
    code = getattr(error, "sqlite_errorcode", None)
    if not (is_damage(error) or code in (None, sqlite3.SQLITE_ERROR)):
        raise error


def _whole(row: Row, columns: dict[str, _Is]) -> Iterator[Row]:
    defaults: Row = {"priority": Priority.ORDINARY}
    full: Row = {name: row[name] if name in row else defaults.get(name) for name in columns}
    is_whole = all(is_it(full[name]) for name, is_it in columns.items())
    if is_whole and ("body_crc" not in full or is_as_stored(full["body"], full["body_crc"])):
        yield full
