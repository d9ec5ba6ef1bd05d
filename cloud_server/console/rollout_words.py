"""What a rollout's page says in words: where it stands, what happens now and next, what a stage asks for. Pure."""

from collections.abc import Callable

from cloud_server.operators.chain import Entry
from cloud_server.rollout.gate_kinds import FACTS
from cloud_server.rollout.plan import Plan, Stage
from cloud_server.rollout.standing import BEFORE_STAGES, Standing, State, Why, next_look_at
from cloud_server.rollout.steering import Rollout

_TITLES = {
    State.DRAFT: "not begun",
    State.PREFLIGHT: "getting ready",
    State.SOAK: "soaking",
    State.PAUSED: "paused",
    State.ROLLING_BACK: "rolling back",
    State.ROLLED_BACK: "rolled back",
    State.ABORTED: "aborted",
    State.COMPLETE: "complete",
    State.SUPERSEDED: "superseded",
}
_PAUSED = {
    Why.OPERATOR: "An operator has paused it.",
    Why.GATE: "It is paused because a gate failed, or too many cameras did.",
    Why.INCONCLUSIVE: "It is paused because it was not clear by the deadline whether it may go on.",
}


def led(rollout: Rollout) -> str:
    """From which version to which one."""
    row = rollout.row
    return f"{'nothing' if row.old_counter is None else f'v{row.old_counter}'} → v{row.counter}"


def stands(plan: Plan, standing: Standing) -> str:
    """Where it stands, in short."""
    of = f"stage {standing.stage + 1} of {len(plan.stages)}"
    if standing.state is State.STAGE:
        stage = plan.stages[standing.stage]
        return f"{of}, {stage.percent:g} %{whose(stage)}"
    if standing.state is State.PAUSED and BEFORE_STAGES < standing.stage < len(plan.stages):
        return f"paused in {of}"
    return _TITLES[standing.state]


def happens(rollout: Rollout, now: float) -> tuple[str, ...]:
    """What happens now, and what follows, in sentences; `now` is in seconds since 1970."""
    plan, standing, row = rollout.plan, rollout.standing, rollout.row
    new, old = f"v{row.counter}", "nothing" if row.old_counter is None else f"v{row.old_counter}"
    words: dict[State, Callable[[], tuple[str, ...]]] = {
        State.DRAFT: lambda: (_draft(plan, now),),
        State.PREFLIGHT: lambda: (
            f"Every process of the server loads the classifier of {new}; no camera is led to it before all have it.",
        ),
        State.STAGE: lambda: _in_stage(plan, standing, new, now),
        State.SOAK: lambda: (
            f"Every camera is led to {new}. It counts as released where nothing fails for another "
            f"{span(standing.stage_since + plan.soak_seconds - now)}.",
        ),
        State.PAUSED: lambda: (
            "" if standing.paused_why is None else _PAUSED[standing.paused_why],
            f"No more cameras are let in; those that are keep {new}.",
            f"Unless somebody acts it is rolled back in {span(standing.since + plan.pause_max_seconds - now)}.",
        ),
        State.ROLLING_BACK: lambda: (
            f"No camera is led to {new} any more. It is over once those that are online send {old} again, or in "
            f"{span(standing.since + plan.rollback_seconds - now)}.",
        ),
        State.ROLLED_BACK: lambda: (f"The cameras that had {new} were led back to {old}.",),
        State.ABORTED: lambda: (f"It was ended; the cameras that had {new} were led back to {old}.",),
        State.SUPERSEDED: lambda: ("Something else was assigned to the family meanwhile, and took its place.",),
        State.COMPLETE: lambda: (f"{new} is what the family runs.",),
    }
    return tuple(filter(None, words[standing.state]()))


def _draft(plan: Plan, now: float) -> str:
    if plan.starts_at is not None and plan.starts_at > now:
        return f"Nothing happens before its start, in {span(plan.starts_at - now)}."
    if plan.is_quiet(now):
        return "It waits for the end of a quiet time."
    return "It begins within seconds."


def _in_stage(plan: Plan, standing: Standing, new: str, now: float) -> tuple[str, ...]:
    stage = plan.stages[standing.stage]
    whom = f"{stage.percent:g} % of the cameras{whose(stage)}" if stage.percent < 100 or stage.tags else "All cameras"
    begun = f"{whom} {'are' if stage.percent != 1 else 'is'} led to {new}, for {span(now - standing.stage_since)} now."
    soak = standing.stage_since + stage.min_soak_seconds - now
    waits = f" It lasts another {span(soak)} at least." if soak > 0 else ""
    left = standing.stage_since + stage.deadline_seconds - now
    late = f"Where it is not clear in {span(left)} whether it may go on, it pauses." if left > 0 else "It is overdue."
    looks = f"The gates have looked {standing.looks} of {stage.looks} times{_next_look(plan, standing, now)}."
    quiet = "It is a quiet time: no more cameras are let in before it ends." if plan.is_quiet(now) else ""
    return tuple(filter(None, (begun + waits, looks if stage.gates else "", late, quiet)))


def _next_look(plan: Plan, standing: Standing, now: float) -> str:
    at = next_look_at(plan, standing)
    if at is None:
        return ""
    return f"; next look in {span(at - now)}" if at > now else "; they look again now"


def without_verdict(plan: Plan, standing: Standing, now: float) -> str:
    """Why no gate has said anything yet."""
    if not any(stage.gates for stage in plan.stages):
        return "The plan has no gates: what becomes of the cameras decides alone."
    if standing.stage > BEFORE_STAGES and not plan.stage(standing.stage).gates:
        return "This stage has no gates; others of the plan have."
    return f"No gate has looked yet{_next_look(plan, standing, now)}."


def asks(stage: Stage) -> tuple[str, ...]:
    """What a stage asks for before the rollout goes on."""
    gates = ", ".join(FACTS[gate.kind].subject for gate in stage.gates)
    asked = (
        (stage.min_devices, f"{stage.min_devices:,} settled {'camera' if stage.min_devices == 1 else 'cameras'}"),
        (stage.min_frames, f"{stage.min_frames:,} frames"),
        (stage.min_soak_seconds, f"{span(stage.min_soak_seconds)} at least"),
        (True, f"at most {100 * stage.max_fail_rate:g} % failing"),
        (stage.gates, f"gates: {gates}"),
        (True, f"in {span(stage.deadline_seconds)} at most"),
    )
    return tuple(words for is_asked, words in asked if is_asked)


def happened(entry: Entry) -> str:
    """What an entry of the audit did to a rollout, in a word or two: `stage 2`, `pause`."""
    _, _, done = entry.action.rpartition(".")
    stage = (entry.after or {}).get("stage")
    return f"{done} {stage + 1}" if done == State.STAGE and isinstance(stage, int) else done.replace("-", " ")


def whose(stage: Stage) -> str:
    """Whose devices a stage is about, as it follows their share."""
    return f" of {' '.join(stage.tags)}" if stage.tags else ""


def span(seconds: float) -> str:
    """A time in its two largest units that are not empty: `1 day 3 h`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, length in (("days", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, length)
        if number:
            parts.append(f"{number} {'day' if (name, number) == ('days', 1) else name}")
    return " ".join(parts[:2]) or "0 s"
