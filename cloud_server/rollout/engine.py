"""What leads rollouts on: one process at a time, whoever holds the lease, looks at every active one each second.

Where a rollout stands is in the database alone, and is changed only where it stands as it was seen. So a process that
is killed, or loses its lease in the middle of a step, leaves a rollout that the next one goes on with.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import structlog

from cloud_server.errors import StorageError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.exposed import tags_wanted
from cloud_server.fleet.exposure import Exposure, reaches_of
from cloud_server.fleet.replicas import Lease, Replicas
from cloud_server.metrics import Metrics
from cloud_server.registry.assigning import Assigning
from cloud_server.registry.catalogue import Catalogue
from cloud_server.rollout.gates import Verdict, alpha_a_look, fail_rate, judge
from cloud_server.rollout.leading import NOTE_SECONDS, is_to_be_noted, note
from cloud_server.rollout.outcomes import Tally
from cloud_server.rollout.seeing import IsExposed, Sight, see
from cloud_server.rollout.standing import Seen, Standing, State, following, gap_seconds, is_look_due
from cloud_server.rollout.steering import Rollout, shown, written
from cloud_server.rollout_metrics import RolloutFigures
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.repeating import every
from cloud_server.storage.rows import fleet, rollout_counts, rollouts
from cloud_server.storage.rows.rollout_counts import ReachedRow, VerdictRow
from cloud_server.storage.rows.rollouts import RolloutRow
from cloud_server.storage.witness import Witness
from shared.bundle import ClassifierRef, Disagreement, Reference
from shared.errors import DctwireError

TICK_SECONDS = 1.0
SEE_PART = 20
"""A rollout's devices are looked at again after this part of the time that its state has lasted,"""
SEE_SECONDS_MAX = 60.0
"""and never less often than this."""
NOTED_AT_ONCE = 500
"""Outcomes of so many devices are written in one transaction, so that frames' answers do not wait behind them."""
_LIVING = {State.STAGE, State.SOAK, State.ROLLING_BACK}
_log = structlog.get_logger()


class Engine:
    """Leads the active rollouts on.

    Args:
        reference: reads what a bundle's trainer measured; in the loader's thread, where all that reads blobs runs.
        witness: of an action and the rollout's name, who takes note of a step that is made by itself.
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.

    Attributes:
        figures: where the active rollouts stand, for metrics; empty where another process leads them.
    """

    def __init__(
        self,
        *,
        database: Database,
        replicas: Replicas,
        assignments: Assignments,
        assigning: Assigning,
        catalogue: Catalogue,
        reference: Callable[[ClassifierRef], Reference | None],
        loader: Executor,
        metrics: Metrics,
        witness: Callable[[str, str], Witness],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._replicas = replicas
        self._assignments = assignments
        self._assigning = assigning
        self._catalogue = catalogue
        self._reference = reference
        self._loader = loader
        self._metrics = metrics
        self._witness = witness
        self._now = now
        self._monotonic = monotonic
        self._seen_at: dict[str, float] = {}
        self._sights: dict[str, Sight] = {}
        self.figures: Sequence[RolloutFigures] = ()

    async def run(self) -> None:
        """Lead them on, until cancelled; a fault of one harms no other, and is tried again."""
        await every(TICK_SECONDS, self.tick, "rollouts-failed")

    async def tick(self) -> None:
        """One look at every active rollout, where there is one, and this process is the one that leads them.

        Raises:
            StorageError: the database does not answer.
        """
        rows = await self._database.read(rollouts.active)
        if not rows or not await self._replicas.may_lead(Lease.ROLLOUTS):
            self.figures = ()
            return
        now, began = self._now(), self._monotonic()
        rows = await self._noted(rows, now)
        active = {row.id for row in rows}
        self._seen_at = {name: at for name, at in self._seen_at.items() if name in active}
        self._sights = {name: sight for name, sight in self._sights.items() if name in active}
        for row in rows:
            try:
                await self._advance(Rollout.of(row), now)
            except StorageError:
                raise
            except DctwireError as error:
                _log.warning("rollout-waits", rollout=row.id, family=row.family, error=str(error))
            except Exception as error:  # noqa: BLE001 - a plan of a later version, or a fault of ours: no other's matter
                _log.error("rollout-failed", rollout=row.id, family=row.family, exc_info=error)
        self.figures = [_figures(row, self._sights.get(row.id)) for row in rows]
        await self._note_end(now + self._monotonic() - began, now)

    async def _noted(self, rows: Sequence[RolloutRow], now: float) -> Sequence[RolloutRow]:
        """The active rollouts, after it was noted that they are led, and what is due of them was put off if need be."""
        if not is_to_be_noted(rows, now):
            return rows
        for row in rows:
            if gap := gap_seconds(row.led_at, now):
                _log.warning("rollout-put-off", rollout=row.id, family=row.family, seconds=round(gap))
        return await self._database.write(partial(note, now=now))

    async def _note_end(self, ended: float, began: float) -> None:
        """What took long was led all the while; both times are of a clock that did not jump meanwhile."""
        if ended - began >= NOTE_SECONDS:
            await self._database.write(partial(rollouts.note_led, now=ended))

    async def _advance(self, rollout: Rollout, now: float) -> None:
        """One step of one rollout, where there is one to take."""
        standing = rollout.standing
        is_due = is_look_due(rollout.plan, standing, now)
        sight = await self._see(rollout, now, with_counts=is_due) if self._is_to_be_seen(rollout, now, is_due) else None
        if sight is None and standing.state in _LIVING:
            return
        verdicts = await self._judged(rollout, sight) if sight is not None and is_due else ()
        seen = await self._seen(rollout, sight, verdicts if is_due else None)
        after = following(rollout.plan, standing, seen, now)
        if sight is not None:
            await self._note(rollout.row.id, sight.changed)
            self._sights[rollout.row.id] = sight
        if after != standing:
            await self._enter(rollout, after, verdicts, now)

    def _is_to_be_seen(self, rollout: Rollout, now: float, is_due: bool) -> bool:
        """Whether the devices are to be looked at: when gates are judged, and often when a state is new."""
        standing = rollout.standing
        if standing.state not in _LIVING:
            return False
        every = min(SEE_SECONDS_MAX, (now - standing.since) / SEE_PART)
        if is_due or abs(now - self._seen_at.get(rollout.row.id, float("-inf"))) >= every:
            self._seen_at[rollout.row.id] = now
            return True
        return False

    async def _see(self, rollout: Rollout, now: float, *, with_counts: bool) -> Sight:
        uncounted = self._assignments.held_rows(rollout.row.family)
        is_exposed = await self._exposed(rollout)
        job = partial(
            see,
            row=rollout.row,
            plan=rollout.plan,
            is_exposed=is_exposed,
            uncounted=uncounted,
            now=now,
            with_counts=with_counts,
        )
        return await self._database.read(job)

    async def _exposed(self, rollout: Rollout) -> IsExposed:
        """Who is led to the new bundle, as the assignments have it."""
        exposure = rollout.exposure
        wanted = tags_wanted([exposure])
        tags = await self._database.read(partial(fleet.tags_of_families, wanted=wanted)) if wanted else {}
        return partial(_is_exposed, exposure=exposure, tags=tags)

    async def _judged(self, rollout: Rollout, sight: Sight) -> tuple[Verdict, ...]:
        """What the gates of this stage say."""
        assert sight.counts is not None
        plan, standing = rollout.plan, rollout.standing
        stage = plan.stage(standing.stage)
        alpha = alpha_a_look(plan.judgements)
        expected = await self._expected(rollout.row)
        return tuple(
            judge(
                gate,
                sight.counts,
                alpha=alpha,
                look=standing.looks + 1,
                looks=stage.looks,
                expected_disagreement=expected,
            )
            for gate in stage.gates
        )

    async def _expected(self, row: RolloutRow) -> Disagreement | None:
        """What the trainer measured between just these two bundles; None where that cannot be read, too."""
        bundle = self._catalogue.find(f"{row.family}/{row.counter}")
        if bundle is None:
            return None
        job = partial(self._reference, bundle.published.classifier)
        try:
            reference = await asyncio.get_running_loop().run_in_executor(self._loader, job)
        except (DctwireError, OSError) as error:  # the gate that needs it holds, and the stage has its deadline
            _log.error("rollout-reference-unreadable", rollout=row.id, family=row.family, error=str(error))
            return None
        measured = None if reference is None else reference.disagreement
        return measured if measured is not None and measured.counter == row.old_counter else None

    async def _seen(self, rollout: Rollout, sight: Sight | None, verdicts: Sequence[Verdict] | None) -> Seen:
        stage = rollout.plan.stage(rollout.standing.stage)
        told = sight.tally if sight is not None else Tally()
        is_served = rollout.standing.state is State.PREFLIGHT and await self._is_served(rollout.row)
        return Seen(
            is_served=is_served,
            settled=told.settled,
            fail_rate=fail_rate(
                told.failed,
                told.settled,
                exposed=0 if sight is None else sight.exposed,
                limit=stage.max_fail_rate,
                min_devices=stage.min_devices,
            ),
            frames=0 if sight is None else sight.frames,
            still_new=0 if sight is None else sight.still_new,
            look=None if verdicts is None else tuple(verdict.opinion for verdict in verdicts),
        )

    async def _is_served(self, row: RolloutRow) -> bool:
        """Whether every live process answers with the new classifier; this one tries."""
        try:
            await self._assigning.startable(row.family, row.counter)
        except StorageError:
            raise
        except DctwireError as error:  # its deadline pauses it
            _log.warning("rollout-waits", rollout=row.id, family=row.family, error=str(error))
            return False
        return all(f"{row.family}/{row.counter}" in replica.serves for replica in await self._replicas.live())

    async def _note(self, rollout: str, changed: Sequence[ReachedRow]) -> None:
        for at in range(0, len(changed), NOTED_AT_ONCE):
            some = changed[at : at + NOTED_AT_ONCE]
            await self._database.write(partial(rollout_counts.put_outcomes, rollout=rollout, rows=some))

    async def _enter(self, rollout: Rollout, after: Standing, verdicts: Sequence[Verdict], now: float) -> None:
        """Write where it stands now, and what the gates said; whoever was first wins."""
        witness = self._witness(f"rollout.{after.state.value}", rollout.row.id)
        job = partial(_enter, rollout=rollout, after=after, verdicts=verdicts, witness=witness, now=now)
        row = await self._database.write(job)
        if row is None:
            return
        for verdict in verdicts:
            self._metrics.count_verdict(row.family, verdict.gate.value, verdict.opinion.value)
            _log.info("gate-judged", rollout=row.id, opinion=verdict.opinion.value, said=verdict.words)
        if row.state != rollout.row.state or row.stage != rollout.row.stage:
            self._metrics.count_step(row.family, row.state)
            _log.info("rollout-went-on", family=row.family, **shown(row))
        await self._assignments.load()


def _enter(
    transaction: Transaction,
    rollout: Rollout,
    after: Standing,
    verdicts: Sequence[Verdict],
    witness: Witness,
    now: float,
) -> RolloutRow | None:
    row = written(transaction, rollout, after, now)
    if row is not None:
        stage, look = rollout.standing.stage, rollout.standing.looks + 1
        rows = [
            VerdictRow(stage, look, each.gate.value, now, each.opinion.value, each.model_dump_json())
            for each in verdicts
        ]
        rollout_counts.add_verdicts(transaction, row.id, rows)
        witness(transaction, shown(rollout.row), shown(row))
    return row


def _figures(row: RolloutRow, sight: Sight | None) -> RolloutFigures:
    return RolloutFigures(
        family=row.family,
        state=row.state,
        since=row.state_since,
        percent=max((reach.percent for reach in reaches_of(row.reaches) if not reach.tags), default=0),
        exposed=0 if sight is None else sight.exposed,
        outcomes={} if sight is None else sight.tally._asdict(),
    )


def _is_exposed(device_id: str, exposure: Exposure, tags: Mapping[str, frozenset[str]]) -> bool:
    return exposure.includes(device_id, tags.get(device_id, frozenset()))
