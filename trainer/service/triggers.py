"""Whether a family is to be trained now, and why; or what it waits for. Pure: signals and the time are parameters.

An operator's request waits for nothing. Everything else waits for enough labels that no training has seen, so that what
a gate refused is not done again from the same data; after failures it waits longer and longer.
"""

from dataclasses import dataclass

from trainer.service.configuration import HOUR, Triggers
from trainer.service.signals import RunTold, Signals, Trigger

QUEUED, FAILED = "queued", "failed"


@dataclass(frozen=True)
class Train:
    """A training is to begin, or to go on, for this reason."""

    trigger: Trigger
    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done; why, and for how many seconds that will stay so at least, as far as is known."""

    reason: str
    seconds: float = 0.0


def decide(signals: Signals, rules: Triggers, worker: str, rollout: str | None, now: float) -> Train | Wait:
    """What the signals of a family lead to.

    Args:
        worker: what the server calls this service.
        rollout: the family's rollout that is under way or waits, if any.
        now: seconds since 1970, by the server's clock or this machine's.
    """
    return (
        _of_open(signals.open_run, worker, now)
        or _held_back(signals, rules, now)
        or _nothing_new(signals, rules)
        or _in_the_way(rollout)
        or _begins(signals, rules, now)
        or Wait("nothing asks for a training", _until_scheduled(signals.last_run, rules, now))
    )


def back_off_seconds(failures: int, rules: Triggers) -> float:
    """How long is waited after so many failures in a row: twice as long after each, up to a limit."""
    if failures == 0:
        return 0.0
    return HOUR * min(rules.back_off_hours_most, rules.back_off_hours * 2.0 ** min(failures - 1, 64))


def _of_open(run: RunTold | None, worker: str, now: float) -> Train | Wait | None:
    """A run that waits is taken, and so is our own; another service's only once it is silent."""
    if run is None:
        return None
    trigger = Trigger(run.trigger) if run.trigger in set(Trigger) else Trigger.OPERATOR
    if run.state == QUEUED:
        return Train(trigger, run.reason or "an operator asked for it")
    if run.worker == worker:
        return Train(trigger, f"run {run.id} of this service is not at its end")
    left = (run.lease_until or now) - now
    if left > 0:
        return Wait(f"run {run.id} is {run.worker}'s", left)
    return Train(trigger, f"run {run.id} was left by {run.worker}")


def _held_back(signals: Signals, rules: Triggers, now: float) -> Wait | None:
    last = signals.last_run
    if last is None or last.outcome != FAILED or last.ended_at is None:
        return None
    left = last.ended_at + back_off_seconds(max(signals.failures, 1), rules) - now
    times = "once" if signals.failures <= 1 else f"{signals.failures} times in a row"
    return Wait(f"it failed {times}; an operator's request goes before", left) if left > 0 else None


def _nothing_new(signals: Signals, rules: Triggers) -> Wait | None:
    if signals.labels_since >= rules.labels_least:
        return None
    return Wait(f"{signals.labels_since} new labels, of {rules.labels_least} that a training wants at least")


def _in_the_way(rollout: str | None) -> Wait | None:
    return None if rollout is None else Wait(f"rollout {rollout} is not over")


def _begins(signals: Signals, rules: Triggers, now: float) -> Train | None:
    """The first reason that holds."""
    if rules.drift and signals.drift:
        names = ", ".join(each.signal for each in signals.drift)
        return Train(Trigger.DRIFT, f"frames look different: {names}")
    gap = signals.estimate_gap
    if rules.gap and gap is not None and gap.parts:
        interval = f"{gap.labelled_low:.1%} to {gap.labelled_high:.1%}"
        return Train(Trigger.GAP, f"the accuracy is estimated as {gap.estimated:.1%}, labels say {interval}")
    if rules.labels is not None and signals.labels_since >= rules.labels:
        return Train(Trigger.LABELS, f"{signals.labels_since} new labels")
    if rules.every_hours is not None and _until_scheduled(signals.last_run, rules, now) <= 0:
        since = "there was none yet" if signals.last_run is None else f"{rules.every_hours:g} hours since the last one"
        return Train(Trigger.SCHEDULE, since)
    return None


def _until_scheduled(last: RunTold | None, rules: Triggers, now: float) -> float:
    """Seconds until the schedule asks for a training; 0 where it does, or never will."""
    if rules.every_hours is None or last is None or last.ended_at is None:
        return 0.0
    return max(0.0, last.ended_at + HOUR * rules.every_hours - now)
