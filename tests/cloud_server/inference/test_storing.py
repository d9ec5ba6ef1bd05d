"""Looking up earlier answers while other requests of the same device store theirs."""

import asyncio
from collections.abc import Callable
from typing import Any

from cloud_server.errors import SequenceTooHighError
from cloud_server.fleet.devices import Device
from cloud_server.inference.storing import AnswerStore
from cloud_server.metrics import Metrics
from shared.wire import SEQUENCE_ALWAYS_MAX, SEQUENCE_STEP_MAX


class SlowDatabase:
    """Answers what the device's highest sequence is, once something else was done meanwhile."""

    def __init__(self, highest_sequence: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._highest_sequence = highest_sequence
        self._meanwhile = meanwhile

    async def read(self, _job: Callable[..., Any]) -> Any:
        """As `Database.read`."""
        await asyncio.sleep(0)
        self._meanwhile()
        return self._highest_sequence


def test_an_answer_that_was_stored_during_the_look_up_is_not_forgotten() -> None:
    device = Device(1, "dev1", "digits", b"", 0.0)

    def meanwhile() -> None:
        device.last_sequence = 8

    store = AnswerStore(SlowDatabase(3, meanwhile), Metrics())  # type: ignore[arg-type]
    assert asyncio.run(store.earlier(device, {9: 0})) == {}
    assert device.last_sequence == 8


def test_a_number_far_above_those_of_this_process_is_taken_where_another_process_has_stored_high_ones() -> None:
    device = Device(1, "dev1", "digits", b"", 0.0, last_sequence=1)
    stored = SEQUENCE_ALWAYS_MAX + SEQUENCE_STEP_MAX
    store = AnswerStore(SlowDatabase(stored), Metrics())  # type: ignore[arg-type]
    reached, beyond = stored + SEQUENCE_STEP_MAX, stored + SEQUENCE_STEP_MAX + 1
    assert asyncio.run(store.earlier(device, {reached: 0})) == {}
    refused = asyncio.run(store.earlier(device, {reached: 0, beyond: 0}))
    assert {sequence: type(error) for sequence, error in refused.items()} == {beyond: SequenceTooHighError}


def test_a_device_goes_on_above_those_numbers_of_its_request_that_are_not_too_high() -> None:
    device = Device(1, "dev1", "digits", b"", 0.0, last_sequence=1)
    store = AnswerStore(SlowDatabase(1), Metrics())  # type: ignore[arg-type]
    (refused,) = asyncio.run(store.earlier(device, {2: 0, 7: 0, SEQUENCE_ALWAYS_MAX + 1: 0})).values()
    assert isinstance(refused, SequenceTooHighError) and refused.highest_sequence == 7


def test_a_device_without_any_answer_is_told_to_go_on_above_zero() -> None:
    store = AnswerStore(SlowDatabase(-1), Metrics())  # type: ignore[arg-type]
    device = Device(1, "dev1", "digits", b"", 0.0)
    (refused,) = asyncio.run(store.earlier(device, {SEQUENCE_ALWAYS_MAX + 1: 0})).values()
    assert isinstance(refused, SequenceTooHighError) and refused.highest_sequence == 0
