"""The device's record of its traffic: kept on disk, so that neither a restart nor a power cut spends a budget twice.

What may be spent before the next write is written first: after a kill it counts as spent. So a program that starts
again and again stays within its budget, and one that runs writes once for many requests.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensor_client.budget import (
    NOTHING_SPENT,
    Period,
    Spending,
    Urgency,
    Window,
    may_send,
    rolled,
    room_bytes,
    seconds_until,
    spent,
)
from sensor_client.clock import Clock
from sensor_client.errors import OverBudgetError
from sensor_client.logs import get_logger
from sensor_client.traffic import Purpose, Traffic
from sensor_client.upload_orders import HeldUploadOrders
from shared import durable

CLAIMED_PARTS = 64
"""So many writes a budget, at most: each claims this part of the smallest one."""
CLAIM_MIN_BYTES = 4096
CLAIM_MAX_BYTES = 1024 * 1024
WRITTEN_AFTER_SECONDS = 600.0
"""Traffic stands on disk after so long, where any request follows."""

_log = get_logger(__name__)
Count = Annotated[int, Field(ge=0, le=2**62)]


class _Record(BaseModel):
    """The file. A purpose or window that is not known here is left out: a later program wrote it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sent: dict[str, Count] = {}
    received: dict[str, Count] = {}
    spent: dict[str, Count] = {}
    periods: dict[str, Count] = {}
    uptimes: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    claimed: Count = 0


def read_traffic(file: Path) -> Traffic:
    """What the file tells, without limits: those are the running program's. Damage is read as nothing."""
    record = _read(file)
    spending = _spending_of(record)
    return Traffic(
        sent=_by_purpose(record.sent),
        received=_by_purpose(record.received),
        spent={window: period.spent_bytes for window, period in spending.items()},
    )


class Ledger:
    """Lets requests go within the budget that is in force, and counts what crosses the network. Thread-safe.

    A disk that cannot be written ends nothing: what is spent then is known until the program ends.
    """

    def __init__(self, file: Path, clock: Clock, orders: HeldUploadOrders) -> None:
        """Go on where the file ends; one that is damaged or not there begins with nothing spent."""
        record = _read(file)
        self._file = file
        self._clock = clock
        self._orders = orders
        self._turn = threading.Lock()
        self._sent, self._received = Counter(_by_purpose(record.sent)), Counter(_by_purpose(record.received))
        self._spending = spent(_spending_of(record), record.claimed)
        self._claim_left = 0
        self._seen_seconds = self._written_seconds = clock.monotonic_seconds()
        self._is_written = True

    def ask(self, purpose: Purpose, request_bytes: int) -> None:
        """Return where a request of about this size may go now.

        Raises:
            OverBudgetError: the budget does not allow it before the time that it names.
        """
        with self._turn:
            self._roll()
            now, budget = self._clock.now(), self._orders.now.budget
            if not may_send(self._spending, budget, purpose.urgency, request_bytes):
                wait = seconds_until(self._spending, budget, purpose.urgency, request_bytes, now)
                raise OverBudgetError(purpose.value, wait)
            is_old = self._clock.monotonic_seconds() - self._written_seconds >= WRITTEN_AFTER_SECONDS
            if request_bytes > self._claim_left or (is_old and not self._is_written):
                self._write(request_bytes)

    def count(self, purpose: Purpose, *, sent: int = 0, received: int = 0) -> None:
        """Note bytes that crossed the network."""
        with self._turn:
            self._roll()
            self._sent[purpose] += sent
            self._received[purpose] += received
            self._spending = spent(self._spending, sent + received)
            self._claim_left -= sent + received
            self._is_written = False
            if self._claim_left < 0:
                self._write(0)

    def room_bytes(self, urgency: Urgency) -> int | None:
        """How many bytes may still be spent now on what is so urgent; None where nothing limits it."""
        with self._turn:
            self._roll()
            return room_bytes(self._spending, self._orders.now.budget, urgency)

    def seconds_until(self, urgency: Urgency, request_bytes: int) -> float:
        """How long to wait until such a request may go, or it is worth asking again; 0 where it may go now."""
        with self._turn:
            self._roll()
            budget, now = self._orders.now.budget, self._clock.now()
            return seconds_until(self._spending, budget, urgency, request_bytes, now)

    def traffic(self) -> Traffic:
        """What crossed the network so far."""
        with self._turn:
            self._roll()
            return Traffic(
                sent=dict(self._sent),
                received=dict(self._received),
                spent={window: period.spent_bytes for window, period in self._spending.items()},
                limits=dict(self._orders.now.budget.limits),
            )

    def close(self) -> None:
        """Write what was spent, and give back what was claimed."""
        with self._turn:
            self._roll()
            self._write(0, claim=False)

    def _roll(self) -> None:
        seen_seconds = self._clock.monotonic_seconds()
        self._spending = rolled(self._spending, self._clock.now(), seen_seconds - self._seen_seconds)
        self._seen_seconds = seen_seconds

    def _write(self, request_bytes: int, *, claim: bool = True) -> None:
        smallest = min(self._orders.now.budget.limits.values(), default=CLAIM_MAX_BYTES * CLAIMED_PARTS)
        part = min(max(smallest // CLAIMED_PARTS, CLAIM_MIN_BYTES), CLAIM_MAX_BYTES)
        self._claim_left = max(part, request_bytes) if claim else 0
        record = _Record(
            sent=dict(self._sent),
            received=dict(self._received),
            spent={window: period.spent_bytes for window, period in self._spending.items()},
            periods={window: period.number for window, period in self._spending.items()},
            uptimes={window: period.uptime_seconds for window, period in self._spending.items()},
            claimed=self._claim_left,
        )
        self._written_seconds, self._is_written = self._clock.monotonic_seconds(), True
        try:
            durable.write_file(self._file, record.model_dump_json().encode(), mode=0o600)
        except OSError as error:
            _log.warning("traffic-not-written", reason=str(error))


def _read(file: Path) -> _Record:
    try:
        return _Record.model_validate_json(durable.bytes_of(file))
    except ValidationError:
        return _Record()


def _by_purpose(counts: Mapping[str, int]) -> dict[Purpose, int]:
    return {purpose: counts[purpose] for purpose in Purpose if purpose in counts}


def _spending_of(record: _Record) -> Spending:
    return {
        window: Period(record.periods[window], record.spent.get(window, 0), record.uptimes.get(window, 0.0))
        if window in record.periods
        else NOTHING_SPENT[window]
        for window in Window
    }
