"""That rollouts are led is noted, so that time in which nobody led them, and jumps of the clock, count for no deadline.

What was not watched proves nothing: after an outage devices that could not be heard are not overdue, and a stage is not
over. A process that is started after a weekend goes on where the last one was.
"""

from collections.abc import Iterable, Sequence

from cloud_server.rollout.standing import gap_seconds, put_off
from cloud_server.storage.database import Transaction
from cloud_server.storage.rows import rollout_counts, rollouts
from cloud_server.storage.rows.rollouts import RolloutRow

NOTE_SECONDS = 10.0
"""How long it need not be noted again that a rollout is led."""


def is_to_be_noted(rows: Iterable[RolloutRow], now: float) -> bool:
    """Whether it is to be noted that these are led."""
    return any(row.led_at is None or not 0 <= now - row.led_at < NOTE_SECONDS for row in rows)


def note(transaction: Transaction, now: float) -> Sequence[RolloutRow]:
    """Note that the active rollouts are led now, and put off what is due of those that were not.

    Returns:
        The active rollouts as they are then.
    """
    for row in rollouts.active(transaction):
        gap = gap_seconds(row.led_at, now)
        if gap:
            since, stage_since = (put_off(moment, gap, now) for moment in (row.state_since, row.stage_since))
            rollouts.change(transaction, row._replace(state_since=since, stage_since=stage_since))
            rollout_counts.put_off(transaction, row.id, max(gap, 0.0), now)
    rollouts.note_led(transaction, now)
    return rollouts.active(transaction)
