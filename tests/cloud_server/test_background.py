"""Housekeeping: what each process does for itself, and what only the one whose turn it is does for all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from cloud_server.background import Background
from cloud_server.events.kinds import EventKind
from cloud_server.fleet.replicas import Lease


class Noted:
    """Stands for every part of a server; notes what it is asked to do."""

    def __init__(self, leads: bool, missing_keys: tuple[str, ...] = ()) -> None:
        self.calls: list[str] = []
        self._leads = leads
        self.missing_keys = missing_keys
        self.expiries: dict[str, float] = {}
        self.told: list[tuple[str, str, str | None]] = []

    def part(self, name: str) -> Any:
        """One part of the server."""
        return _Part(name, self)

    def tell(self, kind: EventKind, subject: str, _facts: object, *, once: str | None) -> None:
        """As `Events`."""
        self.told.append((kind.value, subject, once))

    async def call(self, name: str, *arguments: object) -> bool:
        """Note a call, and answer whether it is our turn."""
        self.calls.append(" ".join([name, *map(str, arguments)]))
        return self._leads


class _Part:
    def __init__(self, name: str, noted: Noted) -> None:
        self._name = name
        self._noted = noted

    @property
    def missing_keys(self) -> tuple[str, ...]:
        return self._noted.missing_keys

    @property
    def expiries(self) -> Mapping[str, float]:
        return self._noted.expiries

    def __getattr__(self, method: str) -> Callable[..., Awaitable[bool]]:
        return lambda *arguments: self._noted.call(f"{self._name}.{method}", *arguments)


def _keeping_house(noted: Noted) -> Background:
    return Background(
        routing=noted.part("routing"),
        signed_files=noted.part("signed_files"),
        devices=noted.part("devices"),
        operators=noted.part("operators"),
        audit=noted.part("audit"),
        assignments=noted.part("assignments"),
        settings=noted.part("settings"),
        diagnostics=noted.part("diagnostics"),
        replicas=noted.part("replicas"),
        spending=noted.part("spending"),
        heartbeats=noted.part("heartbeats"),
        contact=noted.part("contact"),
        sample_store=noted.part("sample_store"),
        drift=noted.part("drift"),
        events=noted,  # type: ignore[arg-type]
        now=lambda: 1000.0,
    )


@pytest.mark.parametrize("leads", [True, False])
def test_the_timestamp_is_kept_fresh_by_the_process_whose_turn_it_is(leads: bool) -> None:
    noted = Noted(leads)
    asyncio.run(_keeping_house(noted).housekeep())
    own = {
        "devices.save",
        "spending.share",
        "heartbeats.refresh",
        "contact.refresh",
        "operators.save",
        "audit.refresh",
        "sample_store.refresh",
        "signed_files.look",
        f"replicas.may_lead {Lease.SIGNING}",
    }
    assert set(noted.calls) == (own | {"signed_files.refresh"} if leads else own)


def test_a_process_without_the_keys_asks_for_no_turn_at_signing_and_ends_the_one_it_has() -> None:
    noted = Noted(leads=True, missing_keys=("timestamp-3fa1b2c4",))
    asyncio.run(_keeping_house(noted).housekeep())
    assert f"replicas.give_up {Lease.SIGNING}" in noted.calls
    assert not {f"replicas.may_lead {Lease.SIGNING}", "signed_files.refresh"} & set(noted.calls)


def test_metadata_that_expire_soon_are_told_of_once_and_again_when_they_were_renewed() -> None:
    noted = Noted(leads=True)
    background = _keeping_house(noted)
    noted.expiries = {"online": 1000.0 + 3600, "targets": 1000.0 + 90 * 86400}
    asyncio.run(background.housekeep())
    asyncio.run(background.housekeep())
    assert noted.told == [("metadata.expiring", "online", "online 4600")]
    noted.expiries = {"online": 1000.0 + 2 * 3600}
    asyncio.run(background.housekeep())
    assert noted.told[1:] == [("metadata.expiring", "online", "online 8200")]
