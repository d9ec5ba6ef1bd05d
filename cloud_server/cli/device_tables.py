"""The devices as people read them: a table of many, and everything of one."""

from typing import Any

from cloud_server.cli.output import cell, say, show_table
from cloud_server.fleet.heartbeat_facts import heartbeat_facts

_COLUMNS = {"device_id": "device", "family": "family", "last_seen_at": "last seen", "last_tables": "tables"}
_WHERE_ANY = {"name": "name", "tags": "tags", "marks": "marks"}
"""Columns that are shown only where a device has any."""
_FACTS = {
    "device_id": "device",
    "name": "name",
    "family": "family",
    "tags": "tags",
    "marks": "marks",
    "enrolled_at": "enrolled",
    "last_seen_at": "last seen",
    "last_tables": "tables",
    "runs": "should run",
    "assignment_seq": "assignment",
    "program": "program",
    "outcome": "last update",
    "heartbeat_at": "last heartbeat",
}
_HEADING_COLUMNS = 20
_EVENT_COLUMNS = {"received_at": "told", "seq": "assignment", "event": "event", "target": "bundle", "code": "code"}


def is_below_floor(row: dict[str, Any]) -> bool:
    """Whether what a device should run is below its family's floor, so that it takes that only if it has it."""
    return row["assigned"] is not None and row["assigned"] < row["floor"]


def show_devices(rows: list[dict[str, Any]]) -> None:
    """A table; it has a column for names, tags or marks only where some device has one."""
    shown = [_readable(row) for row in rows]
    extra = {name: heading for name, heading in _WHERE_ANY.items() if any(row[name] for row in shown)}
    empty = "No device is like that. To let one in: dctwire claim FAMILY"
    show_table("Devices", shown, _COLUMNS | extra, empty)


def show_device(document: dict[str, Any]) -> None:
    """Everything of one device, a line each; then its events."""
    facts = _readable(document)
    width = max(map(len, _FACTS.values()))
    for name, heading in _FACTS.items():
        say(f"{heading:{width}}  {cell(name, facts[name])}")
    if (quarantine := document["quarantine"]) is not None:
        say(f"{'quarantine':{width}}  {quarantine['reason']} (since {cell('since_at', quarantine['since'])})")
    if (trial := document["trial"]) is not None:
        silent = "; it has told nothing for two days" if trial["is_silent"] else ""
        say(f"{'on trial':{width}}  {trial['target']} (since {cell('since_at', trial['since'])}{silent})")
    for heading, fact in heartbeat_facts(document["heartbeat"] or {}):
        say(f"  {heading:{_HEADING_COLUMNS}}  {cell(heading, fact)}")
    if document["events"]:
        say("")
        show_table("Events, newest first", document["events"], _EVENT_COLUMNS, "")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    runs = row["assigned"] if not is_below_floor(row) else f"{row['assigned']} (below the floor {row['floor']})"
    return row | {"runs": runs, "tags": ", ".join(row["tags"]) or None, "marks": ", ".join(_marks(row)) or None}


def _marks(row: dict[str, Any]) -> list[str]:
    """What makes a device unlike others, in words."""
    marks = [] if row["pinned"] is None else [f"pinned to {row['pinned']}"]
    marks += [] if row["quarantine"] is None else ["in quarantine"]
    marks += ["below the floor"] if is_below_floor(row) else []
    marks += [] if row["revoked_at"] is None else ["revoked"]
    marks += [] if row["suspected_clone"] is None else [f"two devices? ({row['suspected_clone']['why']})"]
    if (trial := row["trial"]) is not None:
        marks.append(f"on trial{', silent' if trial['is_silent'] else ''}")
    return marks
