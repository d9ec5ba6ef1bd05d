"""What is done again and again goes on after every error, and each error is told with its weight."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from cloud_server.errors import StorageError
from cloud_server.storage.repeating import every, logged

Lines = list[MutableMapping[str, Any]]


@pytest.mark.parametrize(("error", "level"), [(StorageError("gone"), "warning"), (KeyError("oops"), "error")])
def test_an_error_is_logged_and_goes_no_further(lines: Lines, error: Exception, level: str) -> None:
    with logged("sums-not-saved", family="digits"):
        raise error
    assert [(line["event"], line["log_level"], line["family"]) for line in lines] == [
        ("sums-not-saved", level, "digits")
    ]


@pytest.mark.parametrize("leaving", [asyncio.CancelledError(), KeyboardInterrupt()])
def test_who_leaves_is_not_held(leaving: BaseException) -> None:
    with pytest.raises(type(leaving)), logged("sums-not-saved"):
        raise leaving


def test_work_is_done_again_after_an_error_until_it_is_cancelled(lines: Lines) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise asyncio.CancelledError
        raise StorageError("gone")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(every(0.0, work, "sums-not-saved"))
    assert calls == 3
    assert [line["event"] for line in lines] == ["sums-not-saved"] * 2
