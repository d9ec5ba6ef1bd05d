"""The service: it looks at every family again and again, and trains one at a time where there is a reason."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import TrainerError
from trainer.service.document import document_of
from trainer.service.job import Surroundings, Training
from trainer.service.job_state import Ended, Job, JobFolder, Outcome, jobs_of
from trainer.service.lease import Lease, LeaseLostError, LeaseOutError
from trainer.service.operator_program import AskedToStopError, RefusalError
from trainer.service.record import Record
from trainer.service.report import write_report
from trainer.service.signals import RunTold, Signals
from trainer.service.step_process import StepLeftError
from trainer.service.triggers import Train, decide

_LEFT = (AskedToStopError, StepLeftError, LeaseOutError)
"""A training is left as it is, to be gone on with."""


class Service:
    """Looks at families, and does their trainings."""

    def __init__(self, around: Surroundings, record: Record) -> None:
        self._around = around
        self._record = record

    def run(self, *, once: bool) -> tuple[Job, ...]:
        """Work until the service is to end; returns the trainings that ended.

        Args:
            once: whether every family is looked at once only.

        Raises:
            TrainerError: another service uses the same folder; with `once`, also whatever kept a family from being
                looked at.
        """
        ended: list[Job] = []
        with _alone(self._around.settings.data):
            while True:
                ended += self._look_at_all(once=once)
                if once or self._around.is_stopped():
                    return tuple(ended)
                self._around.pause(self._around.settings.look_seconds)

    def _look_at_all(self, *, once: bool) -> Iterator[Job]:
        for family in self._around.settings.families:
            if not self._around.is_stopped():
                yield from self._look(family, once=once)

    def _look(self, family: str, *, once: bool) -> list[Job]:
        try:
            return [*self._tell_of_ended(family), *self._trained(family)]
        except _LEFT as error:
            self._around.say("left", family=family, reason=str(error))
        except (TrainerError, OSError) as error:
            self._around.say("not-looked-at", family=family, reason=str(error))
            if once:
                raise
        return []

    def _tell_of_ended(self, family: str) -> Iterator[Job]:
        """Tell the server how trainings ended that it was not told of, since the service died at that moment."""
        for folder, job in [*jobs_of(self._folder(family))]:
            if job.ended is not None and not job.is_told:
                yield self._finish(folder, job)

    def _trained(self, family: str) -> list[Job]:
        signals = self._record.signals(family)
        wish = decide(
            signals,
            self._around.settings.families[family].triggers,
            self._record.worker,
            self._record.rollout(family),
            self._around.now(),
        )
        if not isinstance(wish, Train):
            self._around.say("waits", family=family, reason=wish.reason, seconds=round(wish.seconds))
            return []
        run = self._record.take(family, wish.trigger)
        self._around.say("takes", family=family, run=run.id, trigger=wish.trigger.value, reason=wish.reason)
        self._let_go_of_others(family, run.id)
        return self._done(self._begun(signals, run, wish), signals)

    def _done(self, begun: tuple[JobFolder, Job], signals: Signals) -> list[Job]:
        folder, job = begun
        if job.ended is not None:
            return [self._finish(folder, job)]
        try:
            with Lease(self._record, job.run, self._around.monotonic) as lease:
                job = Training(self._around, folder, job, signals.assigned, lease).run()
                lease.at("tell")
                return [self._finish(folder, job)]
        except LeaseLostError as error:
            job = folder.read() or job
            return [self._lost(folder, job, str(error))]

    def _begun(self, signals: Signals, run: RunTold, wish: Train) -> tuple[JobFolder, Job]:
        folder = JobFolder.of(self._folder(signals.family), run.id)
        job = folder.read()
        if job is None:
            job = folder.keep(
                Job(
                    run=run.id,
                    family=signals.family,
                    trigger=wish.trigger,
                    reason=wish.reason,
                    worker=self._record.worker,
                    began_at=self._around.now(),
                    data_until=signals.at,
                )
            )
        return folder, job

    def _finish(self, folder: JobFolder, job: Job) -> Job:
        """Write the report, and tell the server; safe to repeat."""
        assert job.ended is not None
        write_report(folder, job)
        words = ""
        try:
            self._record.end(job.run, job.ended.outcome.value, document_of(job), folder.path / "document.json")
        except RefusalError as error:
            words = error.detail
        job = folder.keep(job.model_copy(update={"is_told": True}))
        assert job.ended is not None
        self._around.say(
            "ended", family=job.family, run=job.run, outcome=job.ended.outcome.value, reason=job.ended.reason,
            report=str(folder.path / "report.html"), **({"not_told": words} if words else {}),
        )  # fmt: skip
        return job

    def _let_go_of_others(self, family: str, run: str) -> None:
        """Whatever else was under way here is no more: the server has given this service another run."""
        for folder, job in [*jobs_of(self._folder(family))]:
            if job.ended is None and job.run != run:
                self._lost(folder, job, f"the server's record goes on with run {run}")

    def _lost(self, folder: JobFolder, job: Job, reason: str) -> Job:
        ended = Ended(outcome=Outcome.LOST, reason=reason, at=self._around.now())
        job = folder.keep(job.model_copy(update={"ended": ended, "is_told": True}))
        write_report(folder, job)
        self._around.say("lost", family=job.family, run=job.run, reason=reason)
        return job

    def _folder(self, family: str) -> Path:
        return self._around.settings.data / family


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold flock(2) on the service's folder; the system releases it where the process is killed.

    Raises:
        TrainerError: another service works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise TrainerError(f"another service is at work in {folder}: give each its own `data`") from error
    finally:
        os.close(handle)
