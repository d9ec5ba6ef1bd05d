"""Probes in the spool: they come and go with their frames, and are the first to make room."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client.spool import Probe, Spool, SpoolError, SpoolLimits
from sensor_client.spool.schema import ADDED, SCHEMA, SCHEMA_VERSION
from shared.wire import Kind

FAR = 2**61


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(path, SpoolLimits())
    yield spool
    spool.close()


def probe(body: bytes = b"probe", tables: tuple[str, bytes] | None = None) -> Probe:
    return Probe(body=body, target="signs/1.json", tables=tables)


def companions(spool: Spool) -> list[tuple[int, int | None]]:
    return [(companion.sequence, companion.companion_of) for companion in spool.companions(99)]


def settled(spool: Spool) -> tuple[int, int, int, int]:
    counters = spool.counters()
    return (counters.probes_encoded, counters.probes_sent, counters.probes_dropped, spool.depth().probes)


def test_a_probe_has_the_number_behind_its_frame_and_is_due_once_the_frame_is_acknowledged(spool: Spool) -> None:
    spool.append(b"one", 7, label="A", probe=probe())
    spool.append(b"two", 8)

    assert [frame.body for frame in spool.oldest(9)] == [b"one", b"two"] and companions(spool) == []
    spool.acknowledge([1])

    [due] = spool.companions(9)
    assert (due.sequence, due.companion_of, due.kind, due.body) == (2, 1, Kind.PROBE, b"probe")
    assert (due.captured_at_ms, due.target, due.label) == (7, "signs/1.json", None)
    assert [frame.sequence for frame in spool.oldest(9)] == [3]


def test_probes_count_nowhere_as_frames(spool: Spool) -> None:
    spool.append(b"one", 7, probe=probe())
    assert (spool.depth().frames, spool.depth().frame_bytes, spool.depth().probes) == (1, 3, 1)

    spool.acknowledge([1])
    spool.acknowledge([2])

    counters = spool.counters()
    assert (counters.captured, counters.encoded, counters.encoded_bytes) == (1, 1, 3)
    assert (counters.acknowledged, counters.acknowledged_bytes) == (1, 3)
    assert settled(spool) == (1, 1, 0, 0)


def test_frame_and_probe_are_stored_both_or_neither(spool: Spool) -> None:
    with spool._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(SpoolError, match="full"):
        spool.append(b"one", 7, probe=probe(bytes(1_000_000)))

    assert spool.oldest(9) == [] and settled(spool) == (0, 0, 0, 0)


def test_a_probe_brings_its_tables_along_and_takes_none_from_the_frames(spool: Spool) -> None:
    spool.keep_tables("new", b"new tables")
    spool.append(b"one", 7, tables_id="new", probe=probe(tables=("old", b"old tables")))
    spool.append(b"two", 7, tables_id="new")
    assert spool.tables_stream("old") == b"old tables"

    spool.acknowledge([1, 2, 3])
    spool.keep_tables("newer", b"newer tables")

    assert (spool.tables_stream("old"), spool.tables_stream("new")) == (None, None)


@pytest.mark.parametrize("limits", [SpoolLimits(frames=4), SpoolLimits(frame_bytes=20)])
def test_over_quota_all_probes_go_before_the_first_frame(path: Path, limits: SpoolLimits) -> None:
    spool = Spool(path, limits)
    spool.append(b"frame", 7, probe=probe())
    spool.append(b"frame", 7, probe=probe())
    spool.append(b"frame", 7)
    assert [frame.sequence for frame in spool.oldest(9)] == [1, 3, 5] and settled(spool) == (2, 0, 1, 1)
    spool.append(b"frame", 7)
    assert [frame.sequence for frame in spool.oldest(9)] == [1, 3, 5, 6] and settled(spool) == (2, 0, 2, 0)
    assert spool.counters().dropped == 0

    spool.append(b"frame", 7, probe=probe())

    assert [frame.sequence for frame in spool.oldest(9)] == [3, 5, 6, 7] and settled(spool) == (3, 0, 3, 0)
    assert spool.counters().dropped == 1
    spool.close()


def test_the_probe_of_a_frame_that_is_refused_goes_with_it(spool: Spool) -> None:
    spool.append(b"one", 7, probe=probe())
    spool.append(b"two", 7, probe=probe())

    spool.refuse(1, status=422, code="corrupt-jpeg", detail="why")
    spool.acknowledge([3])

    assert companions(spool) == [(4, 3)] and settled(spool) == (2, 0, 1, 1)


def test_probes_are_dropped_one_by_one_or_all_and_frames_never_with_them(spool: Spool) -> None:
    for _ in range(3):
        spool.append(b"frame", 7, probe=probe())

    assert spool.drop_companions([1, 2, 3]) == 1
    assert spool.drop_companions() == 2

    assert spool.depth().frames == 3 and settled(spool) == (3, 0, 3, 0)


def test_a_probe_whose_tables_are_put_back_counts_its_new_bytes_beside_those_of_frames(path: Path) -> None:
    spool = Spool(path, SpoolLimits(frame_bytes=20))
    spool.append(b"frame", 7, probe=probe())

    spool.replace_body(2, b"with tables")

    assert spool.depth().frame_bytes == 5
    assert not spool.has_room_to_spare()
    spool.append(b"frame", 7)
    assert settled(spool) == (1, 0, 1, 0) and spool.counters().dropped == 0
    spool.close()


def test_numbering_anew_keeps_a_probe_at_its_frame_and_at_the_old_number_of_one_that_the_server_has(
    spool: Spool,
) -> None:
    spool.append(b"one", 7, probe=probe())
    spool.append(b"two", 7, probe=probe())
    spool.acknowledge([1])

    assert spool.renumber(above=40) == 3

    assert [frame.sequence for frame in spool.oldest(9)] == [42]
    spool.acknowledge([42])
    assert companions(spool) == [(41, 1), (43, 42)]
    assert spool.append(b"three", 7) == 44


def test_going_back_keeps_a_probe_at_its_frame_and_drops_those_of_frames_that_the_server_does_not_have(
    spool: Spool,
) -> None:
    spool.append(b"known", 7, probe=probe(b"of a known one"))
    spool.acknowledge([1])
    spool.append(b"lost", 7, probe=probe(b"of a lost one"))
    spool.append(b"waiting", 7, probe=probe(b"of a waiting one"))
    spool.renumber(above=FAR)
    spool.acknowledge([FAR + 2])  # to somebody who said that it was the server

    assert spool.count_back(above=1) == 3

    assert [(frame.sequence, frame.body) for frame in spool.oldest(9)] == [(3, b"waiting")]
    spool.acknowledge([3])
    assert [(each.sequence, each.companion_of, each.body) for each in spool.companions(9)] == [
        (2, 1, b"of a known one"),
        (4, 3, b"of a waiting one"),
    ]
    assert settled(spool) == (3, 0, 1, 2)


def test_there_is_room_to_spare_until_half_of_a_quota_is_used(path: Path) -> None:
    spool = Spool(path, SpoolLimits(frames=4, frame_bytes=100))
    assert spool.has_room_to_spare()
    spool.append(b"one", 7, probe=probe())
    assert spool.has_room_to_spare()
    spool.append(b"two", 7)
    assert not spool.has_room_to_spare()
    spool.acknowledge([1, 2])
    assert spool.has_room_to_spare()
    spool.append(bytes(50), 7)
    assert not spool.has_room_to_spare()
    spool.close()


def test_the_next_number_is_told_beforehand(path: Path) -> None:
    spool = Spool(path, SpoolLimits(), first_sequence=100)
    assert spool.next_sequence() == 100
    spool.append(b"one", 7, probe=probe())
    assert spool.next_sequence() == 102
    spool.close()


def test_a_spool_from_before_probes_loses_nothing_and_takes_them_from_then_on(path: Path) -> None:
    before = sqlite3.connect(path)
    before.executescript(
        f"{SCHEMA}; {ADDED[0]}; ALTER TABLE frames ADD COLUMN target TEXT; PRAGMA user_version = {SCHEMA_VERSION};"
        "INSERT INTO frames (captured_at_ms, body, label, target) VALUES (5, x'01', 'A', 'signs/1.json');"
        "INSERT INTO counters VALUES ('captured', 1), ('encoded', 1), ('waiting', 1), ('waiting_bytes', 1)"
    )
    before.close()
    with pytest.raises(SpoolError):
        Spool(path, SpoolLimits(), first_sequence=None).oldest(1)  # it is only read, and has no place for them yet

    for _ in range(2):
        spool = Spool(path, SpoolLimits())
        [kept] = spool.oldest(1)
        assert (kept.sequence, kept.body, kept.label, kept.kind, kept.companion_of) == (1, b"\x01", "A", "frame", None)
        spool.append(b"new", 6, probe=probe())
        spool.close()

    spool = Spool(path, SpoolLimits(), first_sequence=None)
    assert (spool.depth().frames, settled(spool)) == (3, (2, 0, 0, 2))
    spool.close()


def test_what_a_spool_from_before_probes_holds_is_told_while_it_is_only_read(path: Path) -> None:
    before = sqlite3.connect(path)
    before.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}")
    before.close()

    spool = Spool(path, SpoolLimits(), first_sequence=None)

    assert settled(spool) == (0, 0, 0, 0)
    spool.close()
