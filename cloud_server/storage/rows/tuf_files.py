"""Rows of the TUF repository: its files, by the name under which devices fetch them."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from cloud_server.storage.schema import tuf_files


def read_file(connection: Connection, name: str) -> bytes | None:
    """One file; None when there is none."""
    return connection.execute(select(tuf_files.c.data).where(tuf_files.c.name == name)).scalar_one_or_none()


def write_files(connection: Connection, files: Mapping[str, bytes], replaced: str) -> None:
    """Add files; the one named `replaced` takes the place of what has its name.

    Raises:
        IntegrityError: another of them is there already; `Database` makes it a ConstraintError.
    """
    for name, data in files.items():
        if name == replaced and read_file(connection, name) is not None:
            connection.execute(update(tuf_files).where(tuf_files.c.name == name).values(data=data))
        else:
            connection.execute(insert(tuf_files), {"name": name, "data": data})
