"""Guessing claim codes: few are looked at, and the guesser's neighbours enrol all the same."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from cloud_server.errors import ClaimError, GuessedClaimsError
from cloud_server.fleet.guesses import ADDRESSES_MAX, WRONG_AT_ONCE, Guesses, site_of
from shared.wire import ProblemCode, Retry
from tests.cloud_server.harness.devices import joining
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


class Stand:
    """Guesses, and a clock to be moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.guesses = Guesses(lambda: self.now, ClaimError, GuessedClaimsError)

    async def guess(self, address: str) -> None:
        """Try a wrong code."""
        async with self.guesses.attempt(address):
            await asyncio.sleep(0)
            raise ClaimError

    async def enrol(self, address: str) -> None:
        """Try a right one."""
        async with self.guesses.attempt(address):
            await asyncio.sleep(0)

    async def looked_at(self, attempts: list[Awaitable[None]]) -> int:
        """How many of these attempts, all at once, were looked at."""
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        return sum(not isinstance(outcome, GuessedClaimsError) for outcome in outcomes)


def run(scenario: Callable[[Stand], Awaitable[None]]) -> None:
    """Run a scenario on a new stand."""

    async def go() -> None:
        await scenario(Stand())

    asyncio.run(go())


def test_wrong_codes_of_one_address_are_looked_at_only_so_often_however_many_come_at_once() -> None:
    async def scenario(stand: Stand) -> None:
        assert await stand.looked_at([stand.guess("192.0.2.1") for _ in range(500)]) == WRONG_AT_ONCE
        assert await stand.looked_at([stand.guess("192.0.2.1"), stand.guess("192.0.2.2")]) == 1
        stand.now += 5
        assert await stand.looked_at([stand.guess("192.0.2.1") for _ in range(50)]) == 5
        stand.now += 1000
        assert await stand.looked_at([stand.guess("192.0.2.1") for _ in range(50)]) == WRONG_AT_ONCE

    run(scenario)


def test_right_codes_cost_nothing_also_beside_some_wrong_ones() -> None:
    async def scenario(stand: Stand) -> None:
        assert await stand.looked_at([stand.guess("192.0.2.1") for _ in range(WRONG_AT_ONCE - 1)]) == WRONG_AT_ONCE - 1
        assert await stand.looked_at([stand.enrol("192.0.2.1") for _ in range(500)]) == 500

    run(scenario)


def test_memory_is_bounded_and_addresses_beyond_it_share_one_bucket() -> None:
    async def scenario(stand: Stand) -> None:
        for number in range(ADDRESSES_MAX):
            assert await stand.looked_at([stand.guess(f"10.1.{number >> 8}.{number & 255}")]) == 1
        assert await stand.looked_at([stand.guess(f"10.2.0.{number}") for number in range(200)]) == WRONG_AT_ONCE
        assert len(stand.guesses) == ADDRESSES_MAX + 1
        assert await stand.looked_at([stand.guess("10.1.0.0")]) == 1
        stand.now += 1000
        assert await stand.looked_at([stand.guess(f"10.2.0.{number}") for number in range(200)]) == 200
        assert len(stand.guesses) == 200

    run(scenario)


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2aa::1", "2001:db8:1:200::/56"),
        ("2001:db8:1:2ff:ffff::9", "2001:db8:1:200::/56"),
        ("2001:db8:1:300::1", "2001:db8:1:300::/56"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/56"),
        ("", ""),
    ],
)
def test_addresses_of_one_customer_count_together(address: str, site: str) -> None:
    assert site_of(address) == site


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerHarness]:
    """A server of this test's own, that no other test's wrong codes count at."""
    with server_in_thread(tmp_path) as harness:
        yield harness


def test_a_guesser_is_told_to_wait_and_many_devices_behind_one_address_enrol(server: ServerHarness) -> None:
    operator = server.client("operator")
    codes = [operator.post("/v1/claims", json={"family": "digits"}).json()["claim_code"] for _ in range(100)]

    def enrol(code: str) -> httpx.Response:
        return server.client("device").post("/v1/devices", json=joining(code))

    with ThreadPoolExecutor(16) as threads:
        assert {answer.status_code for answer in threads.map(enrol, codes[:-1])} == {201}
        guessed = list(threads.map(enrol, [f"AAAA-BBBB-{number:04d}" for number in range(150)]))
    refused = [answer for answer in guessed if answer.status_code == 429]
    assert {answer.status_code for answer in guessed} == {401, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    problem = refused[0].json()
    assert (problem["code"], problem["retry"]) == (ProblemCode.QUOTA_EXCEEDED, Retry.LATER)
    assert "check what you send" in problem["detail"]
