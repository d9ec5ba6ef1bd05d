"""Housekeeping: what each process does for itself, and what only the one whose turn it is does for all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cloud_server.background import Background
from cloud_server.fleet.replicas import Lease


class Noted:
    """Stands for every part of a server; notes what it is asked to do."""

    def __init__(self, leads: bool) -> None:
        self.calls: list[str] = []
        self._leads = leads

    def part(self, name: str) -> Any:
        """One part of the server."""
        return _Part(name, self)

    async def call(self, name: str, *arguments: object) -> bool:
        """Note a call, and answer whether it is our turn."""
        self.calls.append(" ".join([name, *map(str, arguments)]))
        return self._leads


class _Part:
    def __init__(self, name: str, noted: Noted) -> None:
        self._name = name
        self._noted = noted

    def __getattr__(self, method: str) -> Callable[..., Awaitable[bool]]:
        return lambda *arguments: self._noted.call(f"{self._name}.{method}", *arguments)


@pytest.mark.parametrize("leads", [True, False])
def test_the_timestamp_is_kept_fresh_by_the_process_whose_turn_it_is(leads: bool) -> None:
    noted = Noted(leads)
    background = Background(
        routing=noted.part("routing"),
        signed_files=noted.part("signed_files"),
        devices=noted.part("devices"),
        assignments=noted.part("assignments"),
        replicas=noted.part("replicas"),
        spending=noted.part("spending"),
        sample_store=noted.part("sample_store"),
    )
    asyncio.run(background.housekeep())
    own = {"devices.save", "spending.share", "sample_store.refresh", f"replicas.may_lead {Lease.SIGNING}"}
    assert set(noted.calls) == (own | {"signed_files.refresh"} if leads else own)
