"""The record of a device's traffic."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_client.budget import Budget, Urgency, Window
from sensor_client.errors import OverBudgetError
from sensor_client.ledger import CLAIM_MAX_BYTES, WRITTEN_AFTER_SECONDS, Ledger, read_traffic
from sensor_client.traffic import Purpose
from sensor_client.upload_orders import HeldUploadOrders, UploadOrders
from tests.sensor_client.fakes import FakeClock

HOUR = 640_000


def ledger(file: Path, clock: FakeClock, hour_bytes: int | None = HOUR) -> Ledger:
    orders = UploadOrders(budget=Budget(hour_bytes=hour_bytes, is_hard=True))
    return Ledger(file, clock, HeldUploadOrders(orders))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traffic.json"


def test_bytes_are_told_apart_by_purpose_and_direction_and_stay(file: Path, clock: FakeClock) -> None:
    book = ledger(file, clock)
    book.count(Purpose.FRAMES, sent=1000, received=90)
    book.count(Purpose.HEARTBEATS, sent=700)
    book.close()

    again = ledger(file, clock)
    again.count(Purpose.FRAMES, sent=1)

    assert again.traffic().sent == {Purpose.FRAMES: 1001, Purpose.HEARTBEATS: 700}
    assert again.traffic().received[Purpose.FRAMES] == 90
    assert again.traffic().spent[Window.HOUR] == 1791 and again.traffic().limits == {Window.HOUR: HOUR}
    assert read_traffic(file).sent == {Purpose.FRAMES: 1001, Purpose.HEARTBEATS: 700}
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_the_budget_does_not_allow_is_not_sent_and_the_error_says_until_when(file: Path, clock: FakeClock) -> None:
    book = ledger(file, clock)
    book.count(Purpose.FRAMES, sent=HOUR)

    with pytest.raises(OverBudgetError, match="no more for frames") as caught:
        book.ask(Purpose.FRAMES, 100)
    assert caught.value.retry_after_seconds is not None
    assert book.seconds_until(Urgency.ORDINARY, 100) == caught.value.retry_after_seconds
    clock.elapsed_seconds += caught.value.retry_after_seconds

    book.ask(Purpose.FRAMES, 100)


def test_orders_that_are_replaced_hold_for_the_next_request(file: Path, clock: FakeClock) -> None:
    held = HeldUploadOrders(UploadOrders(budget=Budget(day_bytes=1000, is_hard=True)))
    book = Ledger(file, clock, held)
    book.count(Purpose.FRAMES, sent=1000)
    assert book.room_bytes(Urgency.ORDINARY) == 0

    held.replace(UploadOrders())

    assert book.room_bytes(Urgency.ORDINARY) is None
    book.ask(Purpose.FRAMES, 10**9)


def test_many_requests_share_a_write(file: Path, clock: FakeClock) -> None:
    book = ledger(file, clock, None)
    writes = set()
    for _ in range(1000):
        book.ask(Purpose.FRAMES, 1500)
        book.count(Purpose.FRAMES, sent=1500, received=100)
        writes.add(file.read_bytes())

    assert len(writes) <= 2 + 1000 * 1600 // CLAIM_MAX_BYTES


def test_traffic_stands_on_disk_after_a_while_however_little_it_is(file: Path, clock: FakeClock) -> None:
    book = ledger(file, clock)
    book.ask(Purpose.UPDATES, 100)
    book.count(Purpose.UPDATES, sent=100)
    assert read_traffic(file).sent == {}
    clock.elapsed_seconds += WRITTEN_AFTER_SECONDS

    book.ask(Purpose.UPDATES, 100)

    assert read_traffic(file).sent == {Purpose.UPDATES: 100}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"spent": {"hour": -1}}', b"\xff" * 100])
def test_a_damaged_record_is_begun_anew(file: Path, clock: FakeClock, damage: bytes) -> None:
    file.write_bytes(damage)

    ledger(file, clock).ask(Purpose.FRAMES, 100)

    assert read_traffic(file).sent == {}


def test_a_disk_that_cannot_be_written_stops_no_request_and_the_budget_holds(
    tmp_path: Path, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    book = ledger(tmp_path / "gone" / "traffic.json", clock)

    book.ask(Purpose.FRAMES, 100)
    book.count(Purpose.FRAMES, sent=HOUR)

    assert "traffic-not-written" in {line["event"] for line in lines}
    with pytest.raises(OverBudgetError):
        book.ask(Purpose.FRAMES, 100)


@given(
    requests=st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 9000), st.booleans()), max_size=80),
    hour_bytes=st.integers(1, 200_000),
)
def test_a_program_that_is_killed_again_and_again_stays_within_its_budget_and_one_request(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[int, int, bool]], hour_bytes: int
) -> None:
    file, clock = tmp_path_factory.mktemp("ledger") / "traffic.json", FakeClock()
    book, crossed = ledger(file, clock, hour_bytes), 0
    for sent, received, is_killed in requests:
        try:
            book.ask(Purpose.FRAMES, sent)
        except OverBudgetError:
            pass
        else:
            assert crossed < hour_bytes
            book.count(Purpose.FRAMES, sent=sent)
            book.count(Purpose.FRAMES, received=received)
            crossed += sent + received
        if is_killed:
            book = ledger(file, clock, hour_bytes)
