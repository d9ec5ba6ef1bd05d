"""Which frames the next request carries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sensor_client.budget import Budget
from sensor_client.due_frames import DueFrames
from sensor_client.held_back import HeldBack
from sensor_client.ledger import Ledger
from sensor_client.signals import Signals
from sensor_client.spool import Priority, Spool
from sensor_client.traffic import Purpose
from sensor_client.upload_orders import METERED_LINGER_SECONDS, HeldUploadOrders, UploadOrders
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.uploading import fill, jpeg


class Chooser:
    """What chooses frames, with all that it looks at."""

    def __init__(self, folder: Path, spool: Spool, clock: FakeClock, signals: Signals) -> None:
        self.spool = spool
        self.clock = clock
        self.orders = HeldUploadOrders(UploadOrders(batch=4, linger_seconds=5.0))
        self.ledger = Ledger(folder / "traffic.json", clock, self.orders)
        self.held_back = HeldBack()
        self.due = DueFrames(
            spool=spool,
            allowance=self.ledger,
            orders=self.orders,
            held_back=self.held_back,
            clock=clock,
            signals=signals,
        )

    def numbers(self) -> list[int]:
        return [frame.sequence for frame in self.due.next()]


@pytest.fixture
def chooser(tmp_path: Path, spool: Spool, clock: FakeClock, signals: Signals) -> Chooser:
    return Chooser(tmp_path, spool, clock, signals)


def test_orders_that_change_hold_for_the_next_request(chooser: Chooser) -> None:
    fill(chooser.spool, 6)
    assert chooser.numbers() == [1, 2, 3, 4]

    chooser.orders.replace(UploadOrders(batch=2))

    assert chooser.numbers() == [1, 2]


def test_a_frame_that_was_asked_for_waits_for_nobody(chooser: Chooser) -> None:
    chooser.spool.append(jpeg(1), 1, priority=Priority.REQUESTED)

    assert chooser.numbers() == [1]


@pytest.mark.parametrize("priority", [Priority.CHANGE, Priority.RARE])
def test_a_frame_that_is_wanted_more_than_others_waits_for_company_like_them(
    chooser: Chooser, priority: Priority
) -> None:
    chooser.spool.append(jpeg(1), 1, priority=priority)

    assert chooser.numbers() == []
    chooser.clock.elapsed_seconds += 5.0
    assert chooser.numbers() == [1]


def test_on_a_metered_line_frames_wait_ten_minutes_for_company_and_go_together(chooser: Chooser) -> None:
    chooser.orders.replace(UploadOrders(is_metered=True))
    fill(chooser.spool, 40)

    assert chooser.numbers() == []
    assert chooser.due.seconds_to_wait() == 60.0
    chooser.clock.elapsed_seconds += METERED_LINGER_SECONDS

    assert len(chooser.numbers()) == 40


def test_a_request_is_halved_when_one_fails_and_grows_with_each_answer(chooser: Chooser) -> None:
    chooser.orders.replace(UploadOrders(batch=64))
    fill(chooser.spool, 64)
    chooser.due.failed(len(chooser.numbers()))
    sizes = [len(chooser.numbers())]
    for _ in range(3):
        chooser.due.failed(len(chooser.numbers()))
        sizes.append(len(chooser.numbers()))
    for _ in range(4):
        chooser.due.answered(0.1)
        sizes.append(len(chooser.numbers()))

    assert sizes == [32, 16, 8, 4, 8, 16, 32, 64]


def test_what_is_held_back_lets_others_go(chooser: Chooser) -> None:
    fill(chooser.spool, 6)
    chooser.held_back.hold(2, chooser.clock.elapsed_seconds, 30.0)

    assert chooser.numbers() == [1, 3, 4, 5]
    chooser.spool.acknowledge([1, 3, 4, 5, 6])
    assert chooser.numbers() == [] and chooser.due.seconds_to_wait() == 30.0


def test_frames_wait_for_their_budget_which_is_told_once(chooser: Chooser, lines: list[Mapping[str, Any]]) -> None:
    chooser.orders.replace(UploadOrders(batch=4, budget=Budget(hour_bytes=100_000)))
    fill(chooser.spool, 4)
    chooser.ledger.count(Purpose.FRAMES, sent=100_000)

    for _ in range(3):
        assert chooser.numbers() == []
    assert 0 < chooser.due.seconds_to_wait() <= 60.0
    chooser.clock.elapsed_seconds += 3600.0
    assert chooser.numbers() == [1, 2, 3, 4]

    assert [line["event"] for line in lines] == ["over-budget", "within-budget-again"]


@pytest.mark.parametrize("priority", [Priority.CHANGE, Priority.RARE, Priority.REQUESTED])
def test_over_a_soft_budget_what_is_urgent_goes_on_and_over_a_hard_one_nothing(
    chooser: Chooser, priority: Priority
) -> None:
    fill(chooser.spool, 1)
    chooser.spool.append(jpeg(5), 5, priority=priority)
    chooser.ledger.count(Purpose.FRAMES, sent=100_000)
    sent = {}
    for is_hard in (False, True):
        chooser.orders.replace(UploadOrders(batch=1, budget=Budget(hour_bytes=50_000, is_hard=is_hard)))
        sent[is_hard] = chooser.numbers()

    assert sent == {False: [2], True: []}


def test_a_batch_is_no_larger_than_what_is_left_of_the_budget(chooser: Chooser) -> None:
    fill(chooser.spool, 4)
    bodies = [len(frame.body) for frame in chooser.spool.oldest(4)]
    room = 512 + bodies[0] + bodies[1]
    chooser.orders.replace(UploadOrders(batch=4, budget=Budget(hour_bytes=16_000)))
    chooser.ledger.count(Purpose.FRAMES, sent=15_000 - room)

    assert chooser.numbers() == [1, 2]
