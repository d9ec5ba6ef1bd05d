"""One training from labelled frames to a rollout: pull, retrain, measure, judge, publish, roll out, tell.

Each step says in the training's folder that it is done before the next one begins, and may be done again: whenever the
service dies, a new start goes on with the step that was under way, and a net from its last checkpoint.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from trainer.errors import TrainerError
from trainer.service.champions import champion_of
from trainer.service.configuration import HOUR, FamilySettings, ServiceSettings
from trainer.service.gates import held, judged, lets_through, refused_by, wants_tables
from trainer.service.job_state import (
    Attempt,
    AttemptKind,
    Champion,
    Cost,
    Ended,
    Job,
    JobFolder,
    Outcome,
    Pulled,
)
from trainer.service.lease import Lease
from trainer.service.operator_program import AskedToStopError, NotReachedError, OperatorProgram
from trainer.service.publishing import NumberTakenError, Publisher
from trainer.service.signals import Assigned
from trainer.service.step_process import StepLeftError, StepOrder, StepOverdueError, Watch, run_apart
from trainer.service.steps import Answer, MeasureStep, RetrainStep

_T = TypeVar("_T")
NUMBERS_MAX = 5
"""So often a number that others took is followed by another."""
PATIENCE_SECONDS = 5.0
"""Between two tries of a command that does not reach the server."""


class GivenUpError(TrainerError):
    """The training was begun too often without coming to an end, or no number was free."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a training is done with.

    Args:
        now: seconds since 1970.
        monotonic: seconds since any moment.
        is_stopped: whether the service is to end.
        pause: waits so many seconds, or until the service is to end.
        say: told what is going on, by event and facts.
    """

    settings: ServiceSettings
    program: OperatorProgram
    now: Callable[[], float]
    monotonic: Callable[[], float]
    is_stopped: Callable[[], bool]
    pause: Callable[[float], None]
    say: Callable[..., None]


class Training:
    """Does one training, for as long as its lease holds.

    Args:
        assigned: what the family runs.
        job: as far as it is.
    """

    def __init__(
        self, around: Surroundings, folder: JobFolder, job: Job, assigned: Assigned | None, lease: Lease
    ) -> None:
        self._around = around
        self._folder = folder
        self._job = job
        self._assigned = assigned
        self._lease = lease
        self._publisher = Publisher(around.program, around.settings)

    @property
    def _family(self) -> FamilySettings:
        return self._around.settings.families[self._job.family]

    def run(self) -> Job:
        """Do all that is left to do; returns the training with its end, which the server is not told yet.

        Raises:
            AskedToStopError, StepLeftError, LeaseLostError, LeaseOutError: it is left as it is.
        """
        self._keep(starts=self._job.starts + 1)
        try:
            self._require_not_given_up()
            self._choose_champion()
            self._pull()
            while (kind := self._next_kind()) is not None:
                self._attempt(kind)
            return self._decide()
        except (AskedToStopError, StepLeftError):
            self._lease.require()
            raise
        except (TrainerError, OSError) as error:
            self._lease.require()
            return self._end(Outcome.FAILED, str(error))

    def _require_not_given_up(self) -> None:
        if self._job.starts > self._around.settings.limits.starts:
            raise GivenUpError(f"it was begun {self._job.starts - 1} times and never came to its end")

    def _choose_champion(self) -> None:
        if self._job.champion is None:
            family_folder = self._folder.path.parent.parent
            found = champion_of(self._assigned, self._family, self._job.family, family_folder)
            self._keep(champion=found)

    def _pull(self) -> None:
        if self._job.pulled is not None:
            return
        with self._step("pull"):
            asked = ("samples", "export", self._job.family, self._uploads, "--details")
            done = self._patiently(lambda: self._around.program.ask(*asked, seconds=self._seconds_left()))
            left_out = {str(cause): int(count) for cause, count in done.get("left_out", {}).items()}
            pulled = Pulled(frames=done["frames"], fetched=done["fetched"], classes=done["classes"], left_out=left_out)
            self._keep(pulled=pulled)
        self._around.say("pulled", run=self._job.run, **pulled.model_dump())

    def _next_kind(self) -> AttemptKind | None:
        """The attempt that is under way or comes next; None: they are over."""
        attempts, policy = self._job.attempts, self._family.tables
        if not attempts:
            return AttemptKind.TABLES if policy == "always" else AttemptKind.CLASSIFIER
        last = attempts[-1]
        if not last.verdicts:
            return last.kind
        if last.kind is AttemptKind.TABLES or policy != "when-needed" or last.measured is None:
            return None
        return AttemptKind.TABLES if wants_tables(last.verdicts, last.measured, self._family.gates) else None

    def _attempt(self, kind: AttemptKind) -> None:
        if not self._job.attempts or self._job.attempts[-1].kind is not kind:
            budget = self._budget if kind is AttemptKind.TABLES else None
            self._keep(attempts=(*self._job.attempts, Attempt(kind=kind, budget=budget)))
        if self._job.attempts[-1].learned is None:
            self._retrain(self._job.attempts[-1])
        if not self._job.attempts[-1].verdicts:
            self._measure(self._job.attempts[-1])
        attempt = self._job.attempts[-1]
        self._around.say(
            "judged",
            run=self._job.run,
            attempt=kind.value,
            passes=lets_through(attempt.verdicts),
            held=[f"{each.gate.value}: {each.words}" for each in held(attempt.verdicts)],
        )

    def _retrain(self, attempt: Attempt) -> None:
        limits = self._around.settings.limits
        step = RetrainStep(
            champion=self._champion.run,
            uploads=self._uploads,
            out=self._folder.attempt(attempt.kind),
            budget=attempt.budget,
            class_frames=self._family.gates.class_frames,
            threads=limits.threads,
            device=limits.device,
        )
        answer = self._apart(step, f"train-{attempt.kind.value}", limits.processes)
        verdicts = () if answer.refused is None else (refused_by(answer.refused.gate, answer.refused.words),)
        self._keep_attempt(attempt.model_copy(update={"learned": answer.learned, "verdicts": verdicts}))

    def _measure(self, attempt: Attempt) -> None:
        step = MeasureStep(
            champion=self._champion.run,
            challenger=self._folder.attempt(attempt.kind),
            before=self._champion.bundle,
            uploads=self._uploads,
            bundle=self._folder.bundle(attempt.kind),
            family=self._job.family,
            counter=self._counter,
            budget=self._budget,
            threads=self._around.settings.limits.threads,
        )
        answer = self._apart(step, f"measure-{attempt.kind.value}", 1)
        self._keep_attempt(attempt.model_copy(update=self._judged(attempt, answer)))

    def _judged(self, attempt: Attempt, answer: Answer) -> dict[str, object]:
        if answer.refused is not None:
            return {"verdicts": (refused_by(answer.refused.gate, answer.refused.words),)}
        assert answer.measured is not None and attempt.learned is not None
        set_aside = [each.device for each in attempt.learned.set_aside]
        return {
            "measured": answer.measured,
            "verdicts": judged(answer.measured, set_aside, self._family.gates),
        }

    def _decide(self) -> Job:
        """Publish the newest attempt that all gates let through; without one, refuse."""
        good = next((each for each in reversed(self._job.attempts) if lets_through(each.verdicts)), None)
        if good is None:
            reasons = [f"{each.gate.value}: {each.words}" for each in held(self._job.attempts[-1].verdicts)]
            return self._end(Outcome.REFUSED, "; ".join(reasons))
        try:
            self._publish(good)
        except NumberTakenError as error:
            return self._again_under_another_number(good, error)
        return self._end_published()

    def _end_published(self) -> Job:
        assert self._job.published is not None
        if not self._job.published.is_signed:
            return self._end(Outcome.DRAFT, "all gates let it through; another key must sign it")
        self._roll_out()
        assert self._job.rollout is not None
        outcome = Outcome.PUBLISHED if self._job.rollout.is_started else Outcome.DRAFT
        return self._end(outcome, f"all gates let it through; {self._job.rollout.words}")

    def _publish(self, good: Attempt) -> None:
        if self._job.published is None:
            with self._step("publish"):
                bundle = self._folder.bundle(good.kind)
                published = self._patiently(
                    lambda: self._publisher.publish(self._job.family, good.kind, bundle, self._folder.path)
                )
                self._keep(published=published)

    def _again_under_another_number(self, good: Attempt, error: NumberTakenError) -> Job:
        """Measure and export what was good under a higher number, and decide anew."""
        if self._job.counters >= NUMBERS_MAX:
            raise GivenUpError(f"no number was free for its bundle: {error}") from error
        self._choose_counter()
        self._keep(attempts=(good.model_copy(update={"measured": None, "verdicts": ()}),))
        self._measure(self._job.attempts[-1])
        return self._decide()

    def _roll_out(self) -> None:
        if self._job.rollout is None:
            counter = self._counter
            with self._step("roll-out"):
                note = f"training {self._job.run}: {self._job.reason}"[:500]
                rollout = self._patiently(
                    lambda: self._publisher.roll_out(self._job.family, self._family, counter, note)
                )
                self._keep(rollout=rollout)

    @property
    def _counter(self) -> int:
        """The bundle's number, chosen where there is none yet."""
        if self._job.counter is None:
            self._choose_counter()
        assert self._job.counter is not None
        return self._job.counter

    def _choose_counter(self) -> None:
        used = [self._champion.counter, *(() if self._job.counter is None else (self._job.counter,))]
        counter = self._patiently(lambda: self._publisher.next_counter(self._job.family, used))
        self._keep(counter=counter, counters=self._job.counters + 1)

    def _end(self, outcome: Outcome, reason: str) -> Job:
        return self._keep(ended=Ended(outcome=outcome, reason=reason, at=self._around.now()))

    def _apart(self, step: RetrainStep | MeasureStep, name: str, processes: int) -> Answer:
        """Do a heavy step in its own process; what it took is kept whatever came of it."""
        order = StepOrder.of(self._around.settings, step, processes)
        watch = Watch(
            must_leave=lambda: self._around.is_stopped() or self._lease.is_lost,
            seconds_left=self._seconds_left(),
            progress=lambda share: self._lease.at(name, share),
            monotonic=self._around.monotonic,
        )
        with self._step(name):
            answer = run_apart(order, self._folder.path, watch)
            used = Cost(cpu_seconds=answer.cpu_seconds, peak_bytes=answer.peak_bytes)
            self._job = self._job.model_copy(update={"cost": self._job.cost.with_more(used)})
        return answer

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        """Tell that a step begins; its wall time is kept, however it ends."""
        self._lease.require()
        self._lease.at(name)
        self._around.say("step", run=self._job.run, step=name)
        began = self._around.monotonic()
        try:
            yield
        finally:
            took = Cost(wall_seconds=self._around.monotonic() - began)
            self._job = self._folder.keep(self._job.spent(name, took))

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """Ask again for as long as the server cannot be reached and the training is this service's."""
        while True:
            try:
                return ask()
            except NotReachedError as error:
                self._around.say("not-reached", run=self._job.run, error=str(error))
                self._lease.require()
                self._around.pause(PATIENCE_SECONDS)
                if self._around.is_stopped():
                    raise AskedToStopError("stopped while the server was not reached") from error

    def _seconds_left(self) -> float:
        left = HOUR * self._around.settings.limits.hours - self._job.cost.wall_seconds
        if left <= 0:
            raise StepOverdueError("it has worked for longer than [limits] hours allows")
        return left

    def _keep_attempt(self, attempt: Attempt) -> None:
        self._job = self._folder.keep(self._job.with_attempt(attempt))

    def _keep(self, **changes: object) -> Job:
        self._job = self._folder.keep(self._job.model_copy(update=changes))
        return self._job

    @property
    def _uploads(self) -> Path:
        return self._folder.path.parent.parent / "uploads"

    @property
    def _champion(self) -> Champion:
        assert self._job.champion is not None
        return self._job.champion

    @property
    def _budget(self) -> float:
        return self._family.budget or self._champion.scan_bytes
