"""The use cases of trainings: ask for one, take it, tell how far it is, end it, cancel it, look at them.

Each change is one transaction with its line in the audit, and so with the message that webhooks tell; telling how far a
run is changes nothing that anybody needs to be told of.
"""

from collections.abc import Callable, Sequence
from functools import partial

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.fleet.secrets import new_run_id
from cloud_server.registry.catalogue import Catalogue
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import published, rollouts
from cloud_server.storage.rows import training_runs as rows
from cloud_server.storage.rows.training_runs import RunRow
from cloud_server.storage.witness import Facts, Witness
from cloud_server.trainer_metrics import TrainerMetrics
from cloud_server.trainings.document import RunDocument, require_consistent
from cloud_server.trainings.standing import (
    Outcome,
    State,
    Trigger,
    cancelled,
    ended,
    is_repeated_end,
    taken,
    told,
)
from shared.errors import PeerError

KEPT = 1000
"""So many runs of a family are kept, the newest."""
PAGE_MAX = 100


class Runs:
    """Keeps the record of trainings.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self, database: Database, catalogue: Catalogue, metrics: TrainerMetrics, now: Callable[[], float]
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._metrics = metrics
        self._now = now

    async def ask(self, family: str, reason: str | None, by: str, witness: Witness) -> RunRow:
        """Have a family trained anew, as soon as a worker takes it.

        Raises:
            NotFoundError: nothing is published for the family.
            ConflictError: a run of the family waits or is under way already.
            StorageError: the database does not answer.
        """
        self._require_known(family)
        new = RunRow(new_run_id(), family, Trigger.OPERATOR, reason, by, self._now(), State.QUEUED)
        return await self._database.write(partial(_ask, new=_plain(new), witness=witness))

    async def take(
        self, family: str, trigger: Trigger, worker: str, seconds: float, by: str, witness: Witness
    ) -> RunRow:
        """Give a worker the family's open run, or a new one, for so many seconds; safe to repeat.

        Args:
            trigger: why a new one begins; a run that waited keeps its own.

        Raises:
            NotFoundError: nothing is published for the family.
            ConflictError: another worker has the family's run.
            StorageError: the database does not answer.
        """
        self._require_known(family)
        now = self._now()
        new = _plain(RunRow(new_run_id(), family, trigger, None, by, now, State.QUEUED))
        job = partial(_take, new=new, worker=worker, seconds=seconds, now=now, witness=witness)
        return await self._database.write(job)

    async def tell(self, run: str, worker: str, seconds: float, stage: str | None, share: float | None) -> RunRow:
        """Note how far a worker is, and let it have its run for another so many seconds.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: the worker does not have it, or it has ended.
            StorageError: the database does not answer.
        """
        job = partial(_tell, run=run, worker=worker, seconds=seconds, stage=stage, share=share, now=self._now())
        return await self._database.write(job)

    async def end(self, run: str, worker: str, outcome: Outcome, document: RunDocument, witness: Witness) -> RunRow:
        """Note what came of a run; safe to repeat.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: the worker does not have it, or it has ended otherwise.
            PeerError: the document does not say what the outcome says, knows data of the future, or names what is not
                there.
            StorageError: the database does not answer.
        """
        now = self._now()
        require_consistent(outcome, document, now)
        job = partial(
            _end,
            run=run,
            worker=worker,
            outcome=outcome,
            document=document,
            now=now,
            catalogue=self._catalogue,
            witness=witness,
        )
        after, is_new = await self._database.write(job)
        if is_new:
            self._metrics.count_run(after.family, outcome.value)
            self._metrics.count_cost(after.family, 0.0 if document.cost is None else document.cost.wall_seconds)
            for verdict in document.verdicts:
                self._metrics.count_training_verdict(after.family, verdict.gate, verdict.opinion.value)
        return after

    async def cancel(self, run: str, witness: Witness) -> RunRow:
        """End a run that waits or is under way; whoever has it is told so at its next word.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it has ended.
            StorageError: the database does not answer.
        """
        after = await self._database.write(partial(_cancel, run=run, now=self._now(), witness=witness))
        self._metrics.count_run(after.family, Outcome.CANCELLED.value)
        return after

    async def find(self, run: str) -> RunRow:
        """One run with its document.

        Raises:
            NotFoundError: there is no such run.
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(_found, run=run))

    async def page(self, family: str | None, after: str | None, limit: int) -> Sequence[RunRow]:
        """At most `limit` runs without their documents, the newest first; `after` is the last of the page before.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.page, family=family, after=after, limit=limit))

    def _require_known(self, family: str) -> None:
        if not self._catalogue.counters(family):
            raise NotFoundError(
                f"no bundle of family {family} is published, so there is nothing to train from; see: dctwire bundles"
            )


def shown(run: RunRow) -> Facts:
    """What the audit remembers of a run."""
    return {
        "run": run.id,
        "family": run.family,
        "state": run.state,
        "trigger": run.trigger,
        "worker": run.worker,
        "attempts": run.attempts,
        "outcome": run.outcome,
        "counter": run.counter,
    }


def _plain(run: RunRow) -> RunRow:
    """The row with texts in the place of what is named, as the driver takes them."""
    return run._replace(trigger=str(run.trigger), state=str(run.state))


def _ask(transaction: Transaction, new: RunRow, witness: Witness) -> RunRow:
    if not rows.add(transaction, new):
        there = rows.open_of(transaction, new.family)
        which = "" if there is None else f" ({there.id}, {there.state})"
        raise ConflictError(f"a run of {new.family} waits or is under way already{which}; see: dctwire runs list")
    witness(transaction, None, shown(new))
    return new


def _take(transaction: Transaction, new: RunRow, worker: str, seconds: float, now: float, witness: Witness) -> RunRow:
    there = rows.open_of(transaction, new.family, is_locked=True)
    if there is None and not rows.add(transaction, new):  # another process was first
        there = rows.open_of(transaction, new.family, is_locked=True)
        if there is None:
            raise ConflictError(f"a run of {new.family} ended at this moment; take it again")
    after = taken(there or new, worker, seconds, now)
    rows.change(transaction, after)
    witness(transaction, None if there is None else shown(there), shown(after))
    return after


def _tell(
    transaction: Transaction, run: str, worker: str, seconds: float, stage: str | None, share: float | None, now: float
) -> RunRow:
    after = told(_found(transaction, run, is_locked=True), worker, seconds, stage, share, now)
    rows.change(transaction, after)
    return after


def _end(
    transaction: Transaction,
    run: str,
    worker: str,
    outcome: Outcome,
    document: RunDocument,
    now: float,
    catalogue: Catalogue,
    witness: Witness,
) -> tuple[RunRow, bool]:
    before = _found(transaction, run, is_locked=True)
    if is_repeated_end(before, worker, outcome):
        return before, False
    _require_there(transaction, before.family, outcome, document, catalogue)
    after = ended(before, worker, outcome, now)._replace(
        counter=document.counter,
        rollout=document.rollout,
        data_until=document.data_until,
        document=document.model_dump_json(),
    )
    rows.change(transaction, after)
    rows.remove_old(transaction, after.family, KEPT)
    witness(transaction, shown(before), shown(after))
    return after, True


def _require_there(
    transaction: Transaction, family: str, outcome: Outcome, document: RunDocument, catalogue: Catalogue
) -> None:
    """Check that there is what a document names: the bundle, unless it waits to be published, and the rollout."""
    counter = document.counter
    if outcome is Outcome.PUBLISHED and counter is not None:
        is_known = catalogue.find(f"{family}/{counter}") is not None
        if not is_known and not published.has_bundle(transaction, family, counter):  # another process published it
            raise PeerError(f"document.counter: no bundle {family}/{counter} is published; see: dctwire bundles")
    if document.rollout is not None:
        rollout = rollouts.find(transaction, document.rollout)
        if rollout is None or rollout.family != family:
            raise PeerError(f"document.rollout: {family} has no rollout {document.rollout}; see: dctwire rollout list")


def _cancel(transaction: Transaction, run: str, now: float, witness: Witness) -> RunRow:
    before = _found(transaction, run, is_locked=True)
    after = cancelled(before, now)
    rows.change(transaction, after)
    rows.remove_old(transaction, after.family, KEPT)
    witness(transaction, shown(before), shown(after))
    return after


def _found(transaction: Transaction, run: str, *, is_locked: bool = False) -> RunRow:
    row = rows.find(transaction, run, is_locked=is_locked)
    if row is None:
        raise NotFoundError(f"there is no run {run}; see: dctwire runs list")
    return row
