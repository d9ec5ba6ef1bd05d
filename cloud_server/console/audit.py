"""The audit page: who changed what, when and from where; paged, filtered, and whether it is as it was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from cloud_server.console import words
from cloud_server.console.door import Door
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.visit import Fields, Visit
from cloud_server.operators.audit import Audit
from cloud_server.operators.chain import Entry, hash_of
from cloud_server.operators.roles import Role
from cloud_server.storage.audit_row import Head
from cloud_server.storage.rows.audit import AuditFilter

PAGE_ROWS = 50
SEQ_MAX = 2**63 - 1
_PATH = f"{ROOT}/audit"


@dataclass(frozen=True, slots=True)
class Change:
    """A row as the page shows it: what changed in words, and whether its hash is that of what it says."""

    entry: Entry
    facts: Sequence[tuple[str, str]]
    is_as_written: bool

    @property
    def at(self) -> float:
        """When, in seconds since 1970."""
        return self.entry.at_ms / 1000


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of changes; `newer` and `older` are the pages beside it, empty where there is none."""

    changes: Sequence[Change]
    head: Head
    fault: str
    wanted: AuditFilter
    newer: str
    older: str


def audit_section(door: Door, audit: Audit) -> Section:
    """The record of what operators did."""

    async def show(visit: Visit) -> Response:
        wanted = _wanted(visit.query)
        entries, head = await audit.page(wanted, PAGE_ROWS + 1)
        return visit.page("audit.html", page=page_of(entries, head, audit.fault, wanted))

    return Section("Audit", "/audit", Role.OPERATOR, (door.page("/audit", show, Role.OPERATOR),), key="a")


def page_of(entries: Sequence[Entry], head: Head, fault: str, wanted: AuditFilter) -> AuditPage:
    """What the page shows, of one row more than it has room for."""
    is_forwards = wanted.after is not None
    shown = list(entries[:PAGE_ROWS])
    has_more = len(entries) > PAGE_ROWS
    if is_forwards:
        shown.reverse()
    has_newer = bool(shown) and (has_more if is_forwards else wanted.before is not None)
    has_older = bool(shown) and (is_forwards or has_more)
    return AuditPage(
        changes=[Change(entry, facts_of(entry), hash_of(entry.row()) == entry.hash) for entry in shown],
        head=head,
        fault=fault,
        wanted=wanted,
        newer=_address(wanted, after=shown[0].seq) if has_newer else "",
        older=_address(wanted, before=shown[-1].seq) if has_older else "",
    )


def facts_of(entry: Entry) -> Sequence[tuple[str, str]]:
    """What a change did: each fact that is another one now, with how it was and how it is."""
    before, after = entry.before or {}, entry.after or {}
    names = sorted({*before, *after}, key=lambda name: list({**after, **before}).index(name))
    changed = [name for name in names if before.get(name) != after.get(name)]
    return [(_words(name), _change(before, after, name)) for name in changed]


def _change(before: dict[str, str | int | bool | None], after: dict[str, str | int | bool | None], name: str) -> str:
    if name not in before:
        return _value(name, after[name])
    if name not in after:
        return f"was {_value(name, before[name])}"
    return f"{_value(name, before[name])} → {_value(name, after[name])}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(name: str, value: str | int | bool | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_at"):
        return words.moment(value)
    return str(value)


def _wanted(query: Fields) -> AuditFilter:
    before, after = query.number("before"), query.number("after")
    return AuditFilter(
        operator=query.text("operator") or None,
        action=query.text("action") or None,
        subject=query.text("subject") or None,
        before=before if before is not None and 0 <= before <= SEQ_MAX else None,
        after=after if after is not None and 0 <= after <= SEQ_MAX else None,
    )


def _address(wanted: AuditFilter, *, before: int | None = None, after: int | None = None) -> str:
    kept = {"operator": wanted.operator, "action": wanted.action, "subject": wanted.subject}
    asked = {name: value for name, value in {**kept, "before": before, "after": after}.items() if value is not None}
    return f"{_PATH}?{urlencode(asked)}"
