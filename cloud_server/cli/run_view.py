"""A training as people read it: one line, or all of it as text; and what says whether it is time for another."""

from datetime import UTC, datetime
from typing import Any

from shared.plain_text import escaped

_OPINIONS = {"pass": "ok  ", "refuse": "FAIL", "unknown": "?   "}
_CAME = {
    "published": "published",
    "draft": "waits for somebody",
    "refused": "refused by its gates",
    "failed": "failed",
    "cancelled": "cancelled",
}


def one_line(run: dict[str, Any]) -> str:
    """Where it stands."""
    if run["state"] == "queued":
        return "waits for a trainer"
    if run["state"] == "running":
        done = "" if run["share"] is None else f", {100 * run['share']:.0f} % done"
        return f"under way by {run['worker']}{': ' + run['stage'] if run['stage'] else ''}{done}"
    of = "" if run["counter"] is None else f" (v{run['counter']})"
    return f"{_CAME.get(run['outcome'], run['outcome'])}{of}"


def described(run: dict[str, Any], now: float) -> str:
    """A training in full; `now` in seconds since 1970."""
    document = run["document"] or {}
    lines = [
        f"Run {run['id']}  {run['family']}  {one_line(run)}",
        f"Because of: {run['trigger']}{': ' + escaped(run['reason']) if run['reason'] else ''}",
        f"Asked {_time(run['created_at'])} by {escaped(run['asked_by'])}",
        *_times(run, now),
        *([f"Why: {escaped(document['reason'])}"] if document.get("reason") else []),
        *([f"Went on from {escaped(document['parent'])}"] if document.get("parent") else []),
        *([f"Rollout {run['rollout']}; see: dctwire rollout status {run['rollout']}"] if run["rollout"] else []),
        *_verdicts(document),
        *_figures(document),
        *_told(document),
    ]
    return "\n".join(lines)


def signals_told(told: dict[str, Any]) -> str:
    """What says whether it is time to train, a line each."""
    assigned, gap, last = told["assigned"], told["estimate_gap"], told["last_run"]
    runs = "nothing" if assigned is None else f"v{assigned['counter']}"
    drift = ", ".join(each["signal"] for each in told["drift"]) or "none that the server sees"
    if gap is None:
        accuracy = "not known, or too few frames are audited"
    else:
        within = "contradicted by" if gap["parts"] else "within what is said by"
        accuracy = (
            f"{_percent(gap['estimated'])} by estimate, {within} labels "
            f"({_percent(gap['labelled_low'])} to {_percent(gap['labelled_high'])})"
        )
    return "\n".join(
        (
            f"{told['family']} runs {runs}",
            f"Labels   {told['labels_since']} new, {told['labels_total']} in all",
            f"Drift    {drift}",
            f"Accuracy {accuracy}",
            f"Now      {'no run waits or is under way' if told['open_run'] is None else one_line(told['open_run'])}",
            f"Before   {'no run' if last is None else one_line(last) + ', ' + _time(last['ended_at'])}",
            f"Left out {len(told['devices_out'])} devices: forgotten, in quarantine or revoked",
        )
    )


def _times(run: dict[str, Any], now: float) -> list[str]:
    if run["ended_at"] is not None:
        by = f" by {run['worker']}" if run["worker"] else ""
        return [f"Ended {_time(run['ended_at'])}{by}"]
    if run["lease_until"] is None:
        return []
    is_late = run["lease_until"] < now
    late = "it is overdue: another trainer may take it" if is_late else f"to tell by {_time(run['lease_until'])}"
    return [f"Begun {_time(run['started_at'])}, told of {_time(run['told_at'])}; {late}"]


def _verdicts(document: dict[str, Any]) -> list[str]:
    found = document.get("verdicts") or []
    lines = [f"{_OPINIONS[each['opinion']]}  {each['gate']}: {escaped(each['words'])}" for each in found]
    return ["", "Gates", *lines] if lines else []


def _figures(document: dict[str, Any]) -> list[str]:
    lines = []
    for each in document.get("figures") or []:
        has_interval = each["low"] is not None and each["high"] is not None
        ends = f" ({_value(each, 'low')} to {_value(each, 'high')})" if has_interval else ""
        of = "" if each["n"] is None else f", n = {each['n']}"
        lines.append(f"{escaped(each['name'])}: {_value(each, 'value')}{ends}{of}")
    return ["", "Measured", *lines] if lines else []


def _told(document: dict[str, Any]) -> list[str]:
    """Where it came from, what it cost, and what is to be done."""
    lines = []
    sources = document.get("sources") or {}
    if sources:
        lines.append("Learned from " + ", ".join(f"{count} {name}" for name, count in sources.items()))
    left_out = document.get("left_out") or {}
    if left_out:
        lines.append("Left out " + ", ".join(f"{count} {cause}" for cause, count in left_out.items()))
    lines += [f"Set aside {each['device']}: {escaped(each['why'])}" for each in document.get("set_aside") or []]
    cost = document.get("cost")
    if cost:
        memory = cost["peak_memory_bytes"]
        cpu = "" if cost["cpu_seconds"] is None else f", {cost['cpu_seconds']:.0f} s of CPU"
        lines.append(f"Took {cost['wall_seconds']:.0f} s{cpu}{'' if memory is None else f', {memory / 1e6:.0f} MB'}")
    lines += [f"{name}: {document[name]}" for name in ("data_digest", "recipe_digest") if document.get(name)]
    commands = document.get("commands") or []
    todo = ["", "To go on, type", *(f"  {escaped(each)}" for each in commands)] if commands else []
    return (["", *lines] if lines else []) + todo


def _value(figure: dict[str, Any], which: str) -> str:
    value = figure[which]
    if figure["unit"] == "share":
        return _percent(value)
    unit = {"bytes": " bytes", "seconds": " s"}.get(figure["unit"], "")
    return f"{value:.4g}{unit}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"
