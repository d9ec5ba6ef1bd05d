"""The numbers of frames in the spool: what was given, and giving others to all that wait (ADR 0035).

A companion names its frame by number. Where both wait, it is told the frame's new one; where the server has the frame
already, it has it under the old one, and that stays.
"""

from sensor_client.spool.database import Connection, SpoolDamagedError

FAR_SEQUENCE = 2**40


def first_sequence_of(has_run_before: bool, chance: float) -> int:
    """The first sequence number of a new spool. A device that has run before has lost its spool, and with it the count.

    If it began at 1 again, its new frames would be taken for old ones. The clock of a device that lost files may be
    wrong too, so `chance` (0 to 1) picks a number that no device reaches by counting.
    """
    return FAR_SEQUENCE + int(chance * FAR_SEQUENCE) if has_run_before else 1


def highest_given(connection: Connection) -> int:
    """The highest number that was given to a frame; one below the first before that."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frames'").fetchone()
    if row is None or not isinstance(row[0], int):
        raise SpoolDamagedError("the spool has forgotten how far it had counted")
    return row[0]


def number_from(connection: Connection, base: int) -> int:
    """Number the frames from `base` on, keeping the gaps between them; `base` is above all numbers that were given.

    Those to come are numbered on from there. Returns how many there are.
    """
    first: int | None = connection.execute("SELECT min(sequence) FROM frames").fetchone()[0]
    step = base - (first or 0)
    _move_what_companions_name(connection, step)
    # All new numbers are above all old ones, so no frame meets another's number on the way.
    frames = connection.execute("UPDATE frames SET sequence = sequence + ?", (step,)).rowcount
    highest: int = connection.execute("SELECT coalesce(max(sequence), 0) FROM frames").fetchone()[0]
    _count_on_from(connection, max(base - 1, highest))
    return frames


def number_behind(connection: Connection, above: int) -> int:
    """Number the frames, and those to come, from behind `above` on, without gaps. Returns how many there are."""
    _place_what_companions_name(connection, above)
    # By way of numbers below zero: none meets another's on the way.
    frames = connection.execute(
        "UPDATE frames SET sequence = - ? - place"
        " FROM (SELECT sequence AS old, row_number() OVER (ORDER BY sequence) AS place FROM frames)"
        " WHERE sequence = old",
        (above,),
    ).rowcount
    connection.execute("UPDATE frames SET sequence = -sequence")
    _count_on_from(connection, above + frames)
    return frames


def _move_what_companions_name(connection: Connection, step: int) -> None:
    connection.execute(
        "UPDATE frames SET companion_of = companion_of + ?"
        " WHERE companion_of IS NOT NULL AND companion_of IN (SELECT sequence FROM frames)",
        (step,),
    )


def _place_what_companions_name(connection: Connection, above: int) -> None:
    connection.execute(
        "UPDATE frames SET companion_of = ? + place"
        " FROM (SELECT sequence AS old, row_number() OVER (ORDER BY sequence) AS place FROM frames)"
        " WHERE companion_of = old",
        (above,),
    )


def _count_on_from(connection: Connection, given: int) -> None:
    """Give the next frame the number behind `given`."""
    connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'frames'", (given,))
