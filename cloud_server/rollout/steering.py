"""The use cases of operators: start a rollout, and pause, resume, promote, abort or roll back one; assign at once.

Each is one transaction with its line in the audit. Whoever looks at a rollout and then changes it can say which version
of it was seen: it is changed only where that is still the one.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import ChangedError, ConflictError, NotFoundError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.exposure import Exposure, text_of
from cloud_server.fleet.secrets import new_rollout_id
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.rollout.outcomes import Outcome, Tally
from cloud_server.rollout.plan import DAY, LONGEST, Plan, at_once
from cloud_server.rollout.standing import Standing, State, Why, begun, paused, reaches, superseded
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import rollout_counts, rollouts
from cloud_server.storage.rows.rollout_counts import ReachedDevice, VerdictRow
from cloud_server.storage.rows.rollouts import NewRollout, RolloutRow
from cloud_server.storage.witness import Facts, Witness
from shared.bundle import Bundle
from shared.errors import PeerError
from shared.wire import Assignment

Command = Callable[[Plan, Standing, float], Standing]
"""What an operator's command makes of a standing at a time; raises where it cannot be."""
PAGE_MAX = 100
_HAVE_TIME_AGAIN = (Outcome.PENDING, Outcome.TIMED_OUT)
"""What devices that were exposed before a pause have to be timed anew for: some may have had the old bundle since."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as operators see it."""

    row: RolloutRow
    plan: Plan

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        row = self.row
        why = None if row.paused_why is None else Why(row.paused_why)
        return Standing(State(row.state), row.state_since, row.stage, why, row.stage_since, row.looks)

    @property
    def exposure(self) -> Exposure:
        """Whom it leads to what, as devices are told."""
        row = self.row
        target = Assignment(
            seq=row.seq, family=row.family, counter=row.counter, target=f"{row.family}/{row.counter}.json"
        )
        return Exposure(row.id, row.family, target, reaches(self.plan, self.standing))

    @classmethod
    def of(cls, row: RolloutRow) -> "Rollout":
        """What a row says."""
        return cls(row, Plan.model_validate_json(row.plan))

    def at(self, standing: Standing, now: float) -> RolloutRow:
        """The row as it is to be when the rollout stands so."""
        return self.row._replace(
            state=standing.state.value,
            stage=standing.stage,
            paused_why=None if standing.paused_why is None else standing.paused_why.value,
            state_since=standing.since,
            stage_since=standing.stage_since,
            looks=standing.looks,
            reaches=text_of(reaches(self.plan, standing)),
            ended_at=None if standing.state.is_active else now,
        )


@dataclass(frozen=True, slots=True)
class Detail:
    """A rollout in full: how many devices have which outcome, and what the gates said, in the order of time."""

    rollout: Rollout
    tally: Tally
    verdicts: Sequence[VerdictRow]


class Steering:
    """Starts rollouts and does to them what operators say.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        database: Database,
        assigning: Assigning,
        assignments: Assignments,
        signed_files: SignedFiles,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._assigning = assigning
        self._assignments = assignments
        self._signed_files = signed_files
        self._now = now

    async def start(
        self,
        family: str,
        counter: int,
        plan: Plan,
        by: str,
        note: str | None,
        witness: Witness,
        *,
        supersede: bool,
        is_held: bool = False,
    ) -> Rollout:
        """Begin to lead a family to a published bundle; nothing reaches a device before the first stage.

        Args:
            by: the operator's name.
            supersede: whether an active rollout of the family ends for this one.
            is_held: whether it waits, paused before its first stage, for an operator's `resume`.

        Raises:
            NotFoundError, BelowFloorError, NotListedError, StorageError: as for `Assigning.assign`.
            ConflictError: another rollout of the family is active, the family runs the bundle already, or the plan has
                gates and there is no old bundle to compare with.
            PeerError: the plan would begin in more than `LONGEST` seconds.
        """
        _require_begins_soon(plan, self._now())
        bundle = await self._assigning.startable(family, counter)
        new = NewRollout(
            new_rollout_id(),
            family,
            counter,
            plan.model_dump_json(),
            State.DRAFT.value,
            begun(0).stage,
            plan.starts_at,
            by,
            note,
        )
        job = partial(
            self._start, bundle=bundle, new=new, plan=plan, witness=witness, supersede=supersede, is_held=is_held
        )
        row = await self._database.write(job)
        await self._assignments.load()
        return Rollout(row, plan)

    async def assign(self, family: str, counter: int, by: str, witness: Witness) -> tuple[Assignment, str | None]:
        """Make a bundle the family's at once: a rollout of one stage of everybody, without gates, which is complete.

        Returns:
            The assignment, and the active rollout that it ended, if there was one.

        Raises:
            NotFoundError, BelowFloorError, NotListedError, ConflictError, StorageError: as for `Assigning.assign`.
        """
        ended: object = None

        def recorded(transaction: Transaction, before: Facts | None, after: Facts | None) -> None:
            nonlocal ended
            ended = None if after is None else after.get("superseded")
            witness(transaction, before, after)
            old, seq = (_number(before, "counter"), _number(before, "seq")), _number(after, "seq")
            if seq is not None and seq != old[1]:
                rollouts.record(transaction, new, old, seq, self._now())

        plan = at_once()
        stage = len(plan.stages)
        new = NewRollout(
            new_rollout_id(), family, counter, plan.model_dump_json(), State.COMPLETE.value, stage, None, by, None
        )
        made = await self._assigning.assign(family, counter, recorded)
        return made, None if ended is None else str(ended)

    async def change(self, rollout: str, command: Command, seen: int | None, witness: Witness) -> Rollout:
        """Do to a rollout what an operator says.

        Args:
            seen: the version that the operator saw; None: whichever it is.

        Raises:
            NotFoundError: there is no such rollout.
            ChangedError: it is not as it was seen any more.
            ConflictError: that cannot be done to it as it stands.
            StorageError: the database does not answer.
        """
        now = self._now()
        job = partial(_change, rollout=rollout, command=command, seen=seen, witness=witness, now=now)
        changed = await self._database.write(job)
        await self._assignments.load()
        return changed

    async def find(self, rollout: str) -> Detail:
        """One rollout in full.

        Raises:
            NotFoundError: there is no such rollout.
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(_detail, rollout=rollout))

    async def reached(
        self, rollout: str, outcome: Outcome | None, after: int | None, limit: int
    ) -> tuple[Sequence[ReachedDevice], int | None]:
        """At most `limit` devices that a rollout has reached, oldest first, and the row after which to go on.

        Raises:
            NotFoundError: there is no such rollout.
            StorageError: the database does not answer.
        """
        job = partial(_reached, rollout=rollout, outcome=outcome, after=after, limit=limit + 1)
        found = await self._database.read(job)
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    async def page(self, family: str | None, after: str | None, limit: int) -> Sequence[Rollout]:
        """At most `limit` rollouts, the newest first; `after` is the last of the page before.

        Raises:
            StorageError: the database does not answer.
        """
        rows = await self._database.read(partial(rollouts.page, family=family, after=after, limit=limit))
        return [Rollout.of(row) for row in rows]

    def _start(
        self,
        transaction: Transaction,
        bundle: Bundle,
        new: NewRollout,
        plan: Plan,
        witness: Witness,
        *,
        supersede: bool,
        is_held: bool,
    ) -> RolloutRow:
        self._signed_files.require_listed(transaction, bundle)
        now = self._now()
        active = rollouts.active_of(transaction, new.family)
        if active is not None:
            _require_supersedable(active, supersede=supersede)
            ended = Rollout.of(active)
            rollouts.supersede(transaction, new.family, now)
            witness(transaction, shown(active), shown(ended.at(superseded(ended.standing, now), now)))
        row = rollouts.start(transaction, new, now)
        if row is None:
            raise ConflictError(
                f"another rollout of {new.family} was started at the same time; see: dctwire rollout list"
            )
        _require_something_to_do(row, plan)
        if is_held:
            begun_now = Rollout.of(row)
            row = rollouts.change(transaction, begun_now.at(paused(begun_now.standing, now), now))
            assert row is not None  # nobody else knows of it before this transaction ends
        witness(transaction, None, shown(row))
        return row


def written(transaction: Transaction, rollout: Rollout, standing: Standing, now: float) -> RolloutRow | None:
    """Write where a rollout stands now; None where somebody else has changed it first."""
    wanted = rollout.at(standing, now)
    if rollout.standing.state is State.PAUSED and standing.state in {State.STAGE, State.SOAK}:
        rollout_counts.forget_outcomes(transaction, wanted.id, _HAVE_TIME_AGAIN)
    if standing.state is State.COMPLETE:
        return rollouts.complete(transaction, wanted, now)
    return rollouts.change(transaction, wanted)


def shown(row: RolloutRow) -> Facts:
    """What the audit remembers of a rollout."""
    return {
        "rollout": row.id,
        "counter": row.counter,
        "seq": row.seq,
        "state": row.state,
        "stage": row.stage,
        "paused_why": row.paused_why,
    }


def _number(facts: Facts | None, name: str) -> int | None:
    value = None if facts is None else facts.get(name)
    return value if isinstance(value, int) else None


def _change(
    transaction: Transaction, rollout: str, command: Command, seen: int | None, witness: Witness, now: float
) -> Rollout:
    before = _found(transaction, rollout)
    if seen is not None and seen != before.row.version:
        raise ChangedError(f"the rollout is at version {before.row.version} now, and not {seen}; look at it again")
    standing = command(before.plan, before.standing, now)
    if standing == before.standing:
        return before
    after = written(transaction, before, standing, now)
    if after is None:
        raise ConflictError(f"rollout {rollout} was changed at the same time; look at it, and repeat the command")
    witness(transaction, shown(before.row), shown(after))
    return Rollout(after, before.plan)


def _detail(transaction: Transaction, rollout: str) -> Detail:
    found = _found(transaction, rollout)
    return Detail(found, _tally(transaction, found.row), rollout_counts.verdicts(transaction, rollout))


def _tally(transaction: Transaction, row: RolloutRow) -> Tally:
    told = rollout_counts.tally(transaction, row.id) if row.outcomes is None else json.loads(row.outcomes)
    return Tally(**{Outcome(outcome).name.lower(): count for outcome, count in told.items()})


def _reached(
    transaction: Transaction, rollout: str, outcome: Outcome | None, after: int | None, limit: int
) -> Sequence[ReachedDevice]:
    _found(transaction, rollout)
    return rollout_counts.reached_page(transaction, rollout, outcome and outcome.value, after, limit)


def _found(transaction: Transaction, rollout: str) -> Rollout:
    row = rollouts.find(transaction, rollout)
    if row is None:
        raise NotFoundError(f"there is no rollout {rollout}; see: dctwire rollout list")
    return Rollout.of(row)


def _require_begins_soon(plan: Plan, now: float) -> None:
    if plan.starts_at is not None and plan.starts_at > now + LONGEST:
        raise PeerError(
            f"plan.starts_at: {plan.starts_at:.0f} is more than {LONGEST / DAY:.0f} days from now, which is {now:.0f}; "
            "it is in seconds since 1970"
        )


def _require_supersedable(active: RolloutRow, *, supersede: bool) -> None:
    if not supersede:
        raise ConflictError(
            f"rollout {active.id} of {active.family} to v{active.counter} is active ({active.state}): end it with "
            "dctwire rollout abort or rollback, or say --supersede, so that this one takes its place"
        )


def _require_something_to_do(row: RolloutRow, plan: Plan) -> None:
    if row.old_counter == row.counter:
        raise ConflictError(f"{row.family} runs v{row.counter} already")
    if row.old_counter is None and any(stage.gates for stage in plan.stages):
        raise ConflictError(
            f"{row.family} runs nothing yet, so gates have nothing to compare v{row.counter} with: "
            "use a plan without gates, or dctwire assign"
        )
