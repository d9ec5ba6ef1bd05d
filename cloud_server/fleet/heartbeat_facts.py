"""A device's last heartbeat as people read it: what it says, in a few lines with units."""

from collections.abc import Mapping
from typing import Any

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def heartbeat_facts(heartbeat: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a heartbeat says, each with its heading; what it leaves out is left out.

    Args:
        heartbeat: as the server has it, which may be of another version.
    """
    condition = heartbeat.get("condition") or {}
    facts = {
        "troubles": ", ".join(condition.get("troubles") or []) or None,
        "running for": _for_how_long(heartbeat),
        "in use": _in_use(heartbeat.get("active")),
        "to be proven": _to_be_proven(heartbeat.get("trial")),
        "update": _outcome(heartbeat.get("outcome")),
        "frames that wait": _waiting(heartbeat.get("spool")),
        "oldest waits for": _lasting(condition.get("oldest_frame_seconds")),
        "dropped": _counts(condition.get("dropped")),
        "sent, received": _crossed(condition.get("traffic")),
        "of the budgets": _spent(condition.get("traffic")),
        "camera": _camera(condition.get("source")),
        "board": _board(condition.get("board")),
        "last fault": _fault(condition.get("last_fault")),
        "started anew": _counts(condition.get("restarts")),
        "settings from afar": _settings(heartbeat.get("settings")),
        "highest number": heartbeat.get("highest_sequence"),
        "encodes a frame in": _milliseconds(heartbeat.get("encode_seconds_median")),
        "reads schemas": _listed(heartbeat.get("schemas")),
        "encoder can": _listed(heartbeat.get("features")),
        "signed metadata": _trusted(heartbeat.get("tuf")),
        "time is past": heartbeat.get("time_floor"),
    }
    return [(heading, str(fact)) for heading, fact in facts.items() if fact is not None]


def duration(seconds: float) -> str:
    """A time span in its two largest units."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    return f"{seconds // _DAY:.0f} d {seconds % _DAY // _HOUR:.0f} h"


def _for_how_long(heartbeat: Mapping[str, Any]) -> str | None:
    seconds = heartbeat.get("uptime_seconds")
    return None if seconds is None else f"{duration(seconds)}; {_count(heartbeat['boots'], 'start')} in all"


def _in_use(active: Mapping[str, Any] | None) -> str | None:
    return None if active is None else f"{active['target']} (tables {active['tables']})"


def _to_be_proven(trial: Mapping[str, Any] | None) -> str | None:
    if trial is None:
        return None
    return f"{trial['target']}: {_count(trial['proofs'], 'proof')}, {_count(trial['boots'], 'start')}"


def _outcome(outcome: Mapping[str, Any] | None) -> str | None:
    if outcome is None:
        return None
    why = ", ".join(part for part in (outcome.get("code"), outcome.get("reason")) if part)
    return f"{outcome['target']} {outcome['event']} (assignment {outcome['seq']}){why and f': {why}'}"


def _waiting(spool: Mapping[str, Any] | None) -> str | None:
    if spool is None:
        return None
    return f"{spool['frames']} ({spool['bytes']} bytes); {spool['dropped']} dropped since it was enrolled"


def _milliseconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds * 1000:.3g} ms (median)"


def _listed(names: list[Any] | None) -> str | None:
    return ", ".join(map(str, names)) if names else None


def _trusted(tuf: Mapping[str, Any] | None) -> str | None:
    if tuf is None:
        return None
    signed = f", signed {tuf['signed_at']}" if tuf.get("signed_at") else ""
    return f"root {tuf['root_version']}, list {tuf['targets_version']}{signed}{', expired' * tuf['is_stale']}"


def _count(number: Any, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _lasting(seconds: float | None) -> str | None:
    return None if seconds is None else duration(seconds)


def _counts(counts: Mapping[str, Any] | None) -> str | None:
    return ", ".join(f"{number} {name}" for name, number in sorted((counts or {}).items())) or None


def _crossed(traffic: Mapping[str, Any] | None) -> str | None:
    return None if traffic is None else f"{traffic['sent']} bytes, {traffic['received']} bytes since it was enrolled"


def _spent(traffic: Mapping[str, Any] | None) -> str | None:
    """Of the hour, day and month under way."""
    spent = (traffic or {}).get("spent") or {}
    parts = (
        f"{period} {one['bytes']}{'' if one.get('limit') is None else ' of ' + str(one['limit'])} bytes"
        for period, one in spent.items()
    )
    return ", ".join(parts) or None


def _camera(source: Mapping[str, Any] | None) -> str | None:
    if source is None:
        return None
    still = f", {source['stillness']}" if source.get("stillness") else ""
    fault = f"; last fault: {source['fault']}" if source.get("fault") else ""
    lasting = duration(source["since_seconds"])
    return f"{source['condition']} for {lasting}{still}; lost {_count(source['losses'], 'time')}{fault}"


def _board(board: Mapping[str, Any] | None) -> str | None:
    told = board or {}
    parts = [
        None if told.get("temperature_celsius") is None else f"{told['temperature_celsius']:.0f} °C",
        None if told.get("free_disk_bytes") is None else f"{told['free_disk_bytes'] >> 20} MiB of disk free",
        None if told.get("memory_bytes") is None else f"{told['memory_bytes'] >> 20} MiB of memory used",
    ]
    return ", ".join(part for part in parts if part) or None


def _fault(fault: Mapping[str, Any] | None) -> str | None:
    if fault is None:
        return None
    why = f": {fault['reason']}" if fault.get("reason") else ""
    return f"{fault['code']}{why} ({duration(fault['ago_seconds'])} before)"


def _settings(settings: Mapping[str, Any] | None) -> str | None:
    if settings is None:
        return None
    in_effect = "none in effect" if settings.get("in_effect") is None else f"number {settings['in_effect']} in effect"
    if not settings.get("code"):
        return in_effect
    return f"{in_effect}; {settings.get('named')} is not: {settings['code']} ({settings.get('reason') or '-'})"
