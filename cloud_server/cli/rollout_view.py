"""A rollout as people read it: one line, or all of it as text."""

from datetime import UTC, datetime
from typing import Any

from shared.plain_text import escaped

BAR_CELLS = 15
VERDICTS_SHOWN = 12
_MARKS = {"pass": "ok  ", "fail": "FAIL", "hold": "wait"}
_OUTCOMES = {
    "confirmed": "confirmed by their frames",
    "pending": "not proven yet",
    "rolled_back": "rolled back by themselves",
    "rejected": "refused it",
    "timed_out": "overdue",
    "not_reached": "not heard of since",
}
_WHY = {
    "operator": "by an operator",
    "gate": "a gate failed, or too many devices did",
    "inconclusive": "it was not clear by the deadline whether it may go on",
}


def one_line(row: dict[str, Any]) -> dict[str, str]:
    """`led`: from which bundle to which; `stands`: where it stands."""
    before = "nothing" if row["old_counter"] is None else f"v{row['old_counter']}"
    return {"led": f"{before} > v{row['counter']}", "stands": _stands(row)}


def described(document: dict[str, Any], now: float) -> str:
    """A rollout in full; `now` in seconds since 1970."""
    line = one_line(document)
    lines = [
        f"Rollout {document['id']}  {document['family']}  {line['led']}  {line['stands']}",
        *([f"Note: {escaped(document['note'])}"] if document["note"] else []),
        f"Started {_time(document['created_at'])} by {escaped(document['created_by'])}; "
        f"so since {_time(document['state_since'])} ({_span(now - document['state_since'])})",
        f"Version {document['version']}, as --if-version takes it",
        "",
        *(_stage_line(number, stage, document) for number, stage in enumerate(document["plan"]["stages"])),
        "",
        *_device_lines(document["devices"]),
        *_verdict_lines(document["verdicts"]),
    ]
    return "\n".join(lines)


def _stands(row: dict[str, Any]) -> str:
    state, stage = row["state"], row["stage"]
    of = "" if stage is None or stage >= row["stages"] else f"stage {stage + 1} of {row['stages']}"
    if state == "stage":
        whose = f" of {' '.join(row['tags'])}" if row["tags"] else ""
        return f"{of} ({row['percent']:g} %{whose})"
    if state == "paused":
        return f"paused{' in ' + of if of else ''}: {_WHY.get(row['paused_why'] or '', row['paused_why'])}"
    return str(state)


def _stage_line(number: int, stage: dict[str, Any], document: dict[str, Any]) -> str:
    is_back = document["state"] in ("rolling-back", "rolled-back", "aborted", "superseded")
    is_exposed = document["stage"] is not None and number <= document["stage"] and not is_back
    bar = "█" * max(1, round(BAR_CELLS * stage["percent"] / 100)) if is_exposed else ""
    mark = ">" if number == document["stage"] and document["ended_at"] is None else " "
    tags = f"  {' '.join(stage['tags'])}" if stage["tags"] else ""
    gates = ", ".join(gate["kind"] for gate in stage["gates"]) or "no gates"
    return f"{mark} {number + 1:>2}  {stage['percent']:>5g} %  {bar:░<{BAR_CELLS}}  {gates}{tags}"


def _device_lines(devices: dict[str, int]) -> list[str]:
    shown = [f"{devices.get(name, 0):>8}  {words}" for name, words in _OUTCOMES.items() if devices.get(name, 0)]
    return ["Devices", *(shown or ["       -  none was reached yet"]), ""]


def _verdict_lines(verdicts: list[dict[str, Any]]) -> list[str]:
    if not verdicts:
        return []
    shown = verdicts[-VERDICTS_SHOWN:]
    lines = [f"{_MARKS[verdict['opinion']]}  {_time(verdict['at'])}  {verdict['words']}" for verdict in shown]
    left = len(verdicts) - len(shown)
    return [f"Gates{f' (the last {len(shown)} of {len(verdicts)} verdicts)' if left else ''}", *lines]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
