"""Keeps a training this service's: a thread tells the server how far it is, and notices when it is not any more."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from trainer.errors import TrainerError
from trainer.service.operator_program import AskedToStopError, NotReachedError, OperatorProgramError, RefusalError
from trainer.service.record import Record

WORDS_A_LEASE = 3  # so that two may be lost


class LeaseLostError(TrainerError):
    """The training is not this service's any more: it was cancelled, or another service has taken it."""


class LeaseOutError(TrainerError):
    """The server was not reached for a whole lease: another service may have taken the training."""


class Lease:
    """A context in which a training is told about.

    Args:
        monotonic: seconds since any moment.
    """

    def __init__(self, record: Record, run: str, monotonic: Callable[[], float]) -> None:
        self._record = record
        self._run = run
        self._monotonic = monotonic
        self._kept_at = monotonic()
        self._where: tuple[str, float] = ("taken", 0.0)
        self._lost: TrainerError | None = None
        self._over = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._tell_on, name=f"lease of {run}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._news.set()
        self._thread.join()

    def at(self, stage: str, share: float = 0.0) -> None:
        """Note how far the training is; a new stage is told at once.

        Args:
            share: of the stage, 0 to 1.
        """
        is_news = stage != self._where[0]
        self._where = (stage, min(max(share, 0.0), 1.0))
        if is_news:
            self._news.set()

    @property
    def is_lost(self) -> bool:
        """Whether the training must be let go."""
        return self._lost is not None

    def require(self) -> None:
        """Go on only where the training is this service's.

        Raises:
            LeaseLostError, LeaseOutError: it is not, or may not be.
        """
        if self._lost is not None:
            raise self._lost

    def _tell_on(self) -> None:
        every = self._record.lease_seconds / WORDS_A_LEASE
        while not self._over.is_set() and self._lost is None:
            self._news.clear()
            self._tell()
            self._news.wait(every)

    def _tell(self) -> None:
        began = self._monotonic()
        try:
            self._record.tell(self._run, *self._where)
        except RefusalError as error:
            self._lost = LeaseLostError(f"run {self._run} is not this service's any more: {error.detail}")
        except (NotReachedError, OperatorProgramError) as error:
            if self._monotonic() - self._kept_at >= self._record.lease_seconds:
                self._lost = LeaseOutError(f"the server was not reached for a whole lease: {error}")
        except AskedToStopError:
            return
        else:
            self._kept_at = began
