"""Looking up earlier answers while other requests of the same device store theirs."""

import asyncio
from collections.abc import Callable
from typing import Any

from cloud_server.fleet.devices import Device
from cloud_server.inference.storing import AnswerStore
from cloud_server.metrics import Metrics


class SlowDatabase:
    """Answers that the device's highest sequence is 3, once another request has stored a higher one."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    async def read(self, _job: Callable[..., Any]) -> Any:
        """As `Database.read`."""
        await asyncio.sleep(0)
        self._meanwhile()
        return 3


def test_an_answer_that_was_stored_during_the_look_up_is_not_forgotten() -> None:
    device = Device(1, "dev1", "digits", b"", 0.0)

    def meanwhile() -> None:
        device.last_sequence = 8

    store = AnswerStore(SlowDatabase(meanwhile), Metrics())  # type: ignore[arg-type]
    assert asyncio.run(store.earlier(device, {9: 0})) == {}
    assert device.last_sequence == 8
