"""Outcomes on their way to the server."""

from sensor_client.ota.outbox import Outbox
from shared.wire import AssignmentOutcome, EventKind
from tests.sensor_client.failing_disk import FailingDisk
from tests.sensor_client.ota.updating import Device, take

ONE, TWO = (AssignmentOutcome(seq=seq, event=EventKind.TRIAL, target="signs/1.json") for seq in (1, 2))


def test_outcomes_wait_until_they_are_settled() -> None:
    outbox = Outbox(fresh=lambda: None, settled=lambda: None)
    outbox.show((ONE, TWO))

    outbox.settle(ONE)

    assert outbox.waiting() == (TWO,)
    assert outbox.settled() == (ONE,)


def test_what_was_settled_does_not_wait_again_before_the_disk_knows() -> None:
    outbox = Outbox(fresh=lambda: None, settled=lambda: None)
    outbox.show((ONE,))
    outbox.settle(ONE)

    for _ in range(3):
        outbox.show((ONE, TWO))

    assert outbox.waiting() == (TWO,)
    assert outbox.settled() == (ONE,)

    outbox.show((TWO,))
    assert outbox.settled() == ()


def test_those_who_wait_are_woken_by_what_is_new_to_them() -> None:
    told: list[str] = []
    outbox = Outbox(fresh=lambda: told.append("fresh"), settled=lambda: told.append("settled"))

    outbox.show((ONE,))
    outbox.show((ONE,))
    outbox.settle(ONE)

    assert told == ["fresh", "settled"]


def test_outcomes_wait_on_disk_until_somebody_has_told_them(on_trial: Device) -> None:
    on_trial.restart()
    take(on_trial)
    waiting = on_trial.outbox.waiting()
    assert on_trial.signals.report_wanted.is_set() and len(waiting) == 3

    on_trial.outbox.settle(waiting[0])
    take(on_trial)

    assert on_trial.outbox.waiting() == waiting[1:] == on_trial.state_file.load().outbox


def test_outcomes_are_told_once_also_while_the_disk_is_too_full_to_note_it(on_trial: Device) -> None:
    waiting = on_trial.outbox.waiting()
    for outcome in waiting:
        on_trial.outbox.settle(outcome)

    for _ in range(3):
        with FailingDisk(0) as disk:
            take(on_trial)
        assert disk.calls and on_trial.state_file.load().outbox == waiting
        assert on_trial.outbox.waiting() == ()

    take(on_trial)
    assert on_trial.outbox.settled() == on_trial.state_file.load().outbox == ()
