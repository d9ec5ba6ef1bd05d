"""The spool's promises, one by one."""

import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sensor_client.spool import (
    Depth,
    NoSpoolError,
    NotTooFarError,
    NumbersExhaustedError,
    PendingLabel,
    Spool,
    SpoolError,
    SpoolLimits,
)
from sensor_client.spool.schema import SCHEMA, SCHEMA_VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(path, SpoolLimits())
    yield spool
    spool.close()


def test_frames_come_back_in_order_until_they_are_acknowledged(spool: Spool) -> None:
    first, second = spool.append(b"one", 10), spool.append(b"two", 20)

    assert [frame.body for frame in spool.oldest(5)] == [b"one", b"two"]
    assert [frame.body for frame in spool.oldest(5)] == [b"one", b"two"]
    spool.acknowledge([first])

    assert [frame.sequence for frame in spool.oldest(5)] == [second]
    assert spool.counters().acknowledged == 1
    assert spool.counters().acknowledged_bytes == 3


def test_a_sequence_is_never_given_again_after_everything_was_delivered(path: Path) -> None:
    spool = Spool(path, SpoolLimits())
    last = [spool.append(b"x", 0) for _ in range(3)][-1]
    spool.acknowledge(range(last + 1))
    spool.close()

    again = Spool(path, SpoolLimits())
    assert again.append(b"x", 0) == last + 1
    again.close()


def test_programs_that_open_a_new_spool_at_the_same_moment_find_one_spool(tmp_path: Path) -> None:
    for attempt in range(20):
        path, barrier = tmp_path / f"{attempt}.sqlite3", Barrier(4)

        def open_at_once(path: Path = path, barrier: Barrier = barrier) -> Spool:
            barrier.wait()
            return Spool(path, SpoolLimits(), first_sequence=100)

        with ThreadPoolExecutor(4) as pool:
            spools = [opening.result() for opening in [pool.submit(open_at_once) for _ in range(4)]]
        assert [spool.append(b"x", 0) for spool in spools] == [100, 101, 102, 103]
        for spool in spools:
            spool.close()


def test_over_the_row_quota_the_oldest_frames_are_dropped_and_counted(path: Path) -> None:
    spool = Spool(path, SpoolLimits(frames=2))
    sequences = [spool.append(b"frame", 0) for _ in range(5)]

    assert [frame.sequence for frame in spool.oldest(9)] == sequences[3:]
    assert spool.counters().dropped == 3
    assert spool.depth() == Depth(frames=2, frame_bytes=10, labels=0, dead_letters=0, probes=0)
    spool.close()


def test_over_the_byte_quota_the_oldest_frames_are_dropped_and_counted(path: Path) -> None:
    spool = Spool(path, SpoolLimits(frame_bytes=100))
    for _ in range(3):
        spool.append(bytes(40), 0)

    assert spool.depth().frame_bytes == 80
    assert spool.counters().dropped == 1
    spool.close()


def test_a_frame_larger_than_the_whole_quota_is_itself_dropped_and_counted(path: Path) -> None:
    spool = Spool(path, SpoolLimits(frame_bytes=100))
    spool.append(bytes(101), 0)

    assert spool.oldest(1) == []
    assert (spool.counters().encoded, spool.counters().dropped) == (1, 1)
    spool.close()


def test_an_answer_for_a_frame_that_was_dropped_meanwhile_changes_nothing(path: Path) -> None:
    spool = Spool(path, SpoolLimits(frames=1))
    gone = spool.append(b"one", 0, label="A")
    spool.append(b"two", 0)

    spool.acknowledge([gone])
    spool.refuse(gone, status=422, code="corrupt-jpeg", detail="late")
    spool.replace_body(gone, b"longer")

    assert (spool.counters().acknowledged, spool.counters().refused, spool.counters().dropped) == (0, 0, 1)
    assert spool.pending_labels(9) == [] and spool.dead_letters() == []
    spool.close()


def test_a_refused_frame_becomes_a_dead_letter_with_its_reason(spool: Spool) -> None:
    sequence = spool.append(b"bad", 77)

    spool.refuse(sequence, status=422, code="corrupt-jpeg", detail="d" * 10_000)

    [letter] = spool.dead_letters()
    assert (letter.sequence, letter.captured_at_ms, letter.status, letter.code) == (sequence, 77, 422, "corrupt-jpeg")
    assert letter.body == b"bad" and len(letter.detail) == 500
    assert spool.oldest(1) == [] and spool.counters().refused == 1


def test_dead_letters_are_bounded_but_their_count_is_not(path: Path) -> None:
    spool = Spool(path, SpoolLimits(dead_letters=2))
    for _ in range(4):
        spool.refuse(spool.append(b"bad", 0), status=415, code="not-a-jpeg", detail="")

    assert [letter.sequence for letter in spool.dead_letters()] == [3, 4]
    assert spool.counters().refused == 4
    spool.close()


def test_a_label_is_to_be_told_once_its_frame_is_acknowledged_and_until_that_is_confirmed(path: Path) -> None:
    spool = Spool(path, SpoolLimits())
    labelled, plain = spool.append(b"one", 0, label="stop"), spool.append(b"two", 0)
    assert spool.pending_labels(9) == []
    spool.acknowledge([labelled, plain])
    spool.close()

    again = Spool(path, SpoolLimits())
    assert again.pending_labels(9) == [PendingLabel(labelled, "stop")]
    again.settle_labels([labelled], [])
    again.settle_labels([labelled], [])

    assert again.pending_labels(9) == []
    assert again.counters().labels_sent == 1
    again.close()


def test_tables_stay_as_long_as_a_waiting_frame_needs_them(spool: Spool) -> None:
    spool.keep_tables("old", b"old tables")
    sequence = spool.append(b"one", 0, tables_id="old")
    spool.keep_tables("new", b"new tables")
    assert spool.tables_stream("old") == b"old tables"

    spool.acknowledge([sequence])
    spool.keep_tables("newer", b"newer tables")

    assert spool.tables_stream("old") is None
    assert spool.tables_stream("new") is None
    assert spool.tables_stream("newer") == b"newer tables"


def test_a_frame_whose_tables_are_not_kept_cannot_be_stored(spool: Spool) -> None:
    with pytest.raises(SpoolError, match="FOREIGN KEY"):
        spool.append(b"one", 0, tables_id="unheard-of")

    assert spool.depth().frames == 0 and spool.counters().encoded == 0


def test_a_body_can_be_replaced_under_its_number(spool: Spool) -> None:
    spool.keep_tables("t", b"tables")
    sequence = spool.append(b"short", 5, tables_id="t", target="digits/1.json", label="A")

    spool.replace_body(sequence, b"with its tables")

    [frame] = spool.oldest(1)
    assert (frame.sequence, frame.body, frame.tables_id, frame.label) == (sequence, b"with its tables", None, "A")
    assert frame.target == "digits/1.json"
    assert spool.depth().frame_bytes == len(b"with its tables")


def test_frames_that_wait_and_frames_to_come_get_numbers_above_another_in_their_order(path: Path) -> None:
    spool = Spool(path, SpoolLimits())
    for body in (b"one", b"two", b"three"):
        spool.append(body, 7, label=body.decode())
    spool.acknowledge([2])
    assert spool.renumber(above=40) == 2
    spool.close()
    again = Spool(path, SpoolLimits())
    assert [(frame.sequence, frame.body, frame.label) for frame in again.oldest(9)] == [
        (41, b"one", "one"),
        (43, b"three", "three"),
    ]
    assert again.append(b"four", 8) == 44
    assert again.counters().renumbered == 2
    assert [label.sequence for label in again.pending_labels(9)] == [2], "what the server has keeps its number"
    again.close()


def test_a_number_that_was_given_here_is_not_given_again_by_numbering_anew(spool: Spool) -> None:
    for _ in range(5):
        spool.append(b"frame", 7)
    spool.acknowledge([4, 5])
    spool.renumber(above=2)
    assert [frame.sequence for frame in spool.oldest(9)] == [6, 7, 8]
    spool.acknowledge([6, 7, 8])
    assert spool.renumber(above=3) == 0
    assert spool.append(b"frame", 7) == 9


def test_no_frame_is_numbered_to_the_end_of_all_numbers(spool: Spool) -> None:
    spool.append(b"frame", 7)
    with pytest.raises(NumbersExhaustedError):
        spool.renumber(above=2**63 - 2)
    assert [frame.sequence for frame in spool.oldest(9)] == [1]


FAR = 2**61


def test_frames_that_wait_and_frames_to_come_go_back_to_lower_numbers_in_their_order_without_gaps(path: Path) -> None:
    spool = Spool(path, SpoolLimits())
    for body in (b"one", b"two", b"three"):
        spool.append(body, 7, label=body.decode())
    spool.renumber(above=FAR)
    spool.acknowledge([FAR + 2])
    spool.append(b"four", 8)
    assert spool.count_back(above=40) == 3
    spool.close()
    again = Spool(path, SpoolLimits())
    assert [(frame.sequence, frame.body, frame.label) for frame in again.oldest(9)] == [
        (41, b"one", "one"),
        (42, b"three", "three"),
        (43, b"four", None),
    ]
    assert again.append(b"five", 9) == 44
    again.acknowledge([41, 42, 43, 44])
    assert again.append(b"six", 9) == 45
    assert again.counters().renumbered == 3 + 3
    again.close()


def test_frames_go_back_to_numbers_that_others_of_them_have(spool: Spool) -> None:
    for number in range(6):
        spool.append(b"%d" % number, 7)
    spool.acknowledge([3])
    with spool._database.transaction() as connection:
        connection.execute("UPDATE frames SET sequence = ? + sequence WHERE sequence > 4", (FAR,))
        connection.execute("UPDATE sqlite_sequence SET seq = ?", (FAR + 6,))
    spool.count_back(above=1)
    assert [(frame.sequence, frame.body) for frame in spool.oldest(9)] == [
        (2, b"0"),
        (3, b"1"),
        (4, b"3"),
        (5, b"4"),
        (6, b"5"),
    ]


def test_labels_of_frames_that_the_server_does_not_have_go_with_their_numbers(spool: Spool) -> None:
    spool.acknowledge([spool.append(b"known", 7, label="A")])
    spool.append(b"one", 7, label="B")
    spool.renumber(above=FAR)
    spool.acknowledge([FAR + 1])  # to somebody who said that it was the server
    spool.count_back(above=1)
    spool.acknowledge([spool.append(b"two", 7, label="C")])
    assert spool.pending_labels(9) == [PendingLabel(1, "A"), PendingLabel(2, "C")]
    assert spool.counters().labels_refused == 1


@pytest.mark.parametrize("given", [1, 2**42])
def test_a_device_that_did_not_count_too_far_goes_back_to_no_lower_number(path: Path, given: int) -> None:
    spool = Spool(path, SpoolLimits(), first_sequence=given)
    spool.append(b"frame", 7)
    with pytest.raises(NotTooFarError):
        spool.count_back(above=0)
    assert [frame.sequence for frame in spool.oldest(9)] == [given]
    spool.close()


def test_dead_letters_of_higher_numbers_make_room_for_those_after_the_device_went_back(path: Path) -> None:
    spool = Spool(path, SpoolLimits(dead_letters=2))
    for number in range(2):
        spool.append(b"%d" % number, 7)
    spool.renumber(above=FAR)
    for sequence in (FAR + 1, FAR + 2):
        spool.refuse(sequence, status=422, code="corrupt-jpeg", detail="why")
    spool.count_back(above=0)
    for number in range(2, 5):
        spool.refuse(spool.append(b"%d" % number, 7), status=422, code="corrupt-jpeg", detail="why")
    assert [letter.body for letter in spool.dead_letters()] == [b"3", b"4"]
    spool.close()


def test_every_commit_is_synced_to_disk_in_a_write_ahead_log(spool: Spool, path: Path) -> None:
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    with spool._database.reading() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_frames_of_a_spool_from_before_bundles_were_noted_are_still_there(path: Path) -> None:
    before = sqlite3.connect(path)
    before.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}")
    before.execute("INSERT INTO frames (captured_at_ms, tables_id, body, label) VALUES (5, NULL, x'01', 'A')")
    before.commit()
    before.close()

    spool = Spool(path, SpoolLimits())
    spool.append(b"new", 6, target="digits/1.json")

    assert [(frame.body, frame.target) for frame in spool.oldest(9)] == [(b"\x01", None), (b"new", "digits/1.json")]
    spool.close()
    again = Spool(path, SpoolLimits())
    assert len(again.oldest(9)) == 2
    again.close()


def test_a_spool_of_another_version_is_refused_by_name(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(SpoolError, match="version 99"):
        Spool(path, SpoolLimits())


def test_a_damaged_file_is_refused_by_name(path: Path) -> None:
    path.write_bytes(b"this is not a database, whatever its name says" * 100)

    with pytest.raises(SpoolError, match=r"spool\.sqlite3"):
        Spool(path, SpoolLimits())


def test_a_spool_that_is_only_read_is_not_made(path: Path) -> None:
    with pytest.raises(NoSpoolError):
        Spool(path, SpoolLimits(), first_sequence=None)
    assert not path.exists()

    sqlite3.connect(path).execute("PRAGMA journal_mode = WAL").close()  # another program is only just making it
    before = path.read_bytes()
    with pytest.raises(NoSpoolError):
        Spool(path, SpoolLimits(), first_sequence=None)
    assert path.read_bytes() == before


def test_a_spool_is_read_at_rest_and_while_another_works_in_it_and_nothing_is_changed(path: Path) -> None:
    spool = Spool(path, SpoolLimits())
    spool.append(b"one", 0)
    assert waiting_in(path) == 1
    spool.close()

    assert waiting_in(path) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_spool_of_before_is_read_as_it_is(path: Path) -> None:
    before = sqlite3.connect(path)
    before.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}")
    before.close()
    data = path.read_bytes()

    spool = Spool(path, SpoolLimits(), first_sequence=None)
    assert (spool.depth().frames, spool.unreadable()) == (0, [])
    spool.close()
    assert path.read_bytes() == data


def waiting_in(path: Path) -> int:
    """What waits in a spool that is only read; nothing can be written through it."""
    spool = Spool(path, SpoolLimits(), first_sequence=None)
    with contextlib.closing(spool):
        with pytest.raises(SpoolError, match="readonly"):
            spool.append(b"x", 0)
        return spool.depth().frames


def test_a_full_disk_refuses_the_frame_and_keeps_the_rest(spool: Spool) -> None:
    kept = spool.append(b"kept", 0)
    with spool._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(SpoolError, match="full"):
        spool.append(bytes(1_000_000), 0)

    assert [frame.sequence for frame in spool.oldest(9)] == [kept]
    assert spool.counters().encoded == 1
    assert spool.append(b"fits", 0) == kept + 1


@pytest.mark.parametrize("limits", [{"frames": 0}, {"frame_bytes": 0}, {"dead_letters": -1}])
def test_a_quota_that_holds_nothing_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        SpoolLimits(**limits)


def test_unreadable_pictures_are_kept_by_name_with_the_last_reason_and_the_latest_stay(path: Path) -> None:
    spool = Spool(path, SpoolLimits(unreadable=3))
    for moment, name in enumerate(["a.png", "b.png", "c.png", "a.png", "d.png"]):
        spool.set_aside(name, f"fault {moment}" + "!" * 999, moment)
    spool.close()

    spool = Spool(path, SpoolLimits(unreadable=3))
    kept = [(picture.name, picture.reason[:7], picture.times, picture.last_at_ms) for picture in spool.unreadable()]
    assert kept == [("d.png", "fault 4", 1, 4), ("a.png", "fault 3", 2, 3), ("c.png", "fault 2", 1, 2)]
    assert (spool.counters().captured, spool.counters().unreadable) == (5, 5)
    assert max(len(picture.reason) for picture in spool.unreadable()) == 500


def test_a_spool_from_before_names_were_kept_gets_a_place_for_them(path: Path) -> None:
    Spool(path, SpoolLimits()).close()
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE unreadable")
    other.close()

    spool = Spool(path, SpoolLimits())
    spool.set_aside("a.png", "no picture", 7)
    assert [picture.name for picture in spool.unreadable()] == ["a.png"]
