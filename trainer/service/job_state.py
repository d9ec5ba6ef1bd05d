"""What a training's folder keeps of it: which steps are done, and what came of each. Written whole after every step.

DATA/FAMILY/uploads/                the export of labelled frames, one for all trainings of the family
DATA/FAMILY/runs/RUN/job.json       this
DATA/FAMILY/runs/RUN/classifier/    the run folder of an attempt, and `tables/` of the second one
DATA/FAMILY/runs/RUN/bundles/       what is exported of each
DATA/FAMILY/runs/RUN/report.html    and report.md, what people read
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.errors import RunError
from trainer.service.figures import Measured
from trainer.service.gates import Verdict
from trainer.service.signals import Trigger
from trainer.whole_file import write_whole

JOB_NAME = "job.json"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(StrEnum):
    """What came of a training; all but the last are told the server."""

    PUBLISHED = "published"
    DRAFT = "draft"
    REFUSED = "refused"
    FAILED = "failed"
    LOST = "lost"
    """It was cancelled, or another service has it."""


class AttemptKind(StrEnum):
    """What of the champion is learned anew."""

    CLASSIFIER = "classifier"
    TABLES = "tables"


class Champion(_Kept):
    """The version that the family runs: where its run and its bundle lie, and what its frames cost in scan bytes."""

    run: Path
    bundle: Path
    counter: int
    classifier_sha256: str
    scan_bytes: float

    @property
    def name(self) -> str:
        """What people call it beside its family."""
        return f"v{self.counter}"


class Cost(_Kept):
    """What a training took up to now: of processes that were killed, the wall time alone.

    Args:
        peak_bytes: of memory, the most that one process had.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def with_more(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(
            wall_seconds=self.wall_seconds + other.wall_seconds,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            peak_bytes=max(self.peak_bytes, other.peak_bytes),
        )


class Pulled(_Kept):
    """What the export of labelled frames brought.

    Args:
        left_out: frames that were not taken, by reason.
    """

    frames: int
    fetched: int
    classes: int
    left_out: dict[str, int]


class SetAside(_Kept):
    """A device of which nothing is learned, and why."""

    device: str
    why: str


class Learned(_Kept):
    """What a net was trained from.

    Args:
        data_digest, recipe_digest: SHA-256, in hexadecimal.
        sources: frames by where they came from.
        left_out: labelled frames that it was not trained from, by `trainer.field.left_out.Cause`.
    """

    data_digest: str
    recipe_digest: str
    sources: dict[str, int]
    set_aside: tuple[SetAside, ...] = ()
    left_out: dict[str, int] = {}


class Attempt(_Kept):
    """One net of a training.

    Args:
        budget: scan bytes a frame that tables were learned for; None: the champion's tables.
        verdicts: none before the gates were asked.
    """

    kind: AttemptKind
    budget: float | None
    learned: Learned | None = None
    measured: Measured | None = None
    verdicts: tuple[Verdict, ...] = ()


class Published(_Kept):
    """What became of a bundle that all gates let through.

    Args:
        is_signed: whether enough keys signed it; otherwise nothing was published.
        to_sign: the list that waits for others.
        commands: what somebody has to type for it to go on.
    """

    attempt: AttemptKind
    is_signed: bool
    to_sign: Path | None = None
    commands: tuple[str, ...] = ()


class Rollout(_Kept):
    """The rollout that leads to a bundle; None where it could not be opened, and what was said then."""

    rollout: str | None
    is_started: bool
    words: str
    commands: tuple[str, ...] = ()


class Ended(_Kept):
    """How a training ended, and why."""

    outcome: Outcome
    reason: str
    at: float


class Job(_Kept):
    """A training, as far as it is.

    Args:
        began_at: in seconds since 1970.
        data_until: labels up to this time are known to it, in seconds since 1970.
        starts: how often it was begun or gone on with.
        counter: of the bundle that is to come of it.
        counters: how many numbers were tried.
        steps: wall seconds by step.
        is_told: whether the server knows how it ended.
    """

    run: str
    family: str
    trigger: Trigger
    reason: str
    worker: str
    began_at: float
    data_until: float
    starts: int = 0
    champion: Champion | None = None
    counter: int | None = None
    counters: int = 0
    pulled: Pulled | None = None
    attempts: tuple[Attempt, ...] = ()
    published: Published | None = None
    rollout: Rollout | None = None
    ended: Ended | None = None
    steps: dict[str, float] = {}
    cost: Cost = Cost()
    is_told: bool = False

    @property
    def deciding(self) -> Attempt | None:
        """The attempt that was published; without one, the last."""
        if self.published is not None:
            return next(each for each in self.attempts if each.kind is self.published.attempt)
        return self.attempts[-1] if self.attempts else None

    def with_attempt(self, attempt: Attempt) -> "Job":
        """The same with the last attempt as it is now."""
        return self.model_copy(update={"attempts": (*self.attempts[:-1], attempt)})

    def spent(self, step: str, cost: Cost) -> "Job":
        """The same with what a step took."""
        seconds = self.steps.get(step, 0.0) + cost.wall_seconds
        return self.model_copy(
            update={"cost": self.cost.with_more(cost), "steps": {**self.steps, step: round(seconds, 3)}}
        )


class JobFolder:
    """The folder of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, family_folder: Path, run: str) -> Self:
        """Where a training of a family is kept."""
        return cls(family_folder / "runs" / run)

    def read(self) -> Job | None:
        """What is kept; None where nothing is yet.

        Raises:
            RunError: it is damaged.
        """
        path = self.path / JOB_NAME
        try:
            return Job.model_validate_json(path.read_bytes()) if path.exists() else None
        except (OSError, ValidationError) as error:
            raise RunError(f"{path} cannot be read: {error}; move its folder away") from error

    def keep(self, job: Job) -> Job:
        """Have it on the disk; returns it."""
        self.path.mkdir(parents=True, exist_ok=True)
        text = job.model_dump_json(indent=1).encode()
        write_whole(self.path / JOB_NAME, lambda file: file.write(text))
        return job

    def attempt(self, kind: AttemptKind) -> Path:
        """The run folder of an attempt."""
        return self.path / kind.value

    def bundle(self, kind: AttemptKind) -> Path:
        """The bundle folder of an attempt."""
        return self.path / "bundles" / kind.value


def jobs_of(family_folder: Path) -> Iterator[tuple[JobFolder, Job]]:
    """Every training that is kept of a family, in the order in which they began; folders without one are none.

    Raises:
        RunError: one is damaged.
    """
    folders = [JobFolder(path.parent) for path in (family_folder / "runs").glob(f"*/{JOB_NAME}")]
    found = [(folder, job) for folder in folders if (job := folder.read()) is not None]
    yield from sorted(found, key=lambda pair: pair[1].began_at)
