"""A change as people read it: a block of short lines, so that it fits a narrow terminal."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cloud_server.cli.output import cell

_ABSENT = "-"


def change_block(row: Mapping[str, Any], columns: int) -> str:
    """One row of the audit: when, what was done to what, by whom, and each fact, before and after where they differ.

    Args:
        row: as `GET /v1/audit` has it.
        columns: how many a line should have; only a name or a value that is wider by itself makes a longer line.
    """
    moment = datetime.fromtimestamp(row["at_ms"] / 1000, UTC)
    lines = [f"{row['seq']}  {moment:%Y-%m-%d %H:%M:%S}Z"]
    lines += _fitting("  ", row["action"], " ", row["subject"], columns)
    lines += _fitting("  ", f"by {row['operator']} ({row['role']})", " ", f"from {row['address']}", columns)
    for name, before, after in _facts(row["before"] or {}, row["after"] or {}):
        is_new = row["before"] is None or before == after
        lines += _fitting("  ", f"{name}: {after if is_new else before}", "" if is_new else " → ", after, columns)
    return "\n".join(lines)


def _facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each fact's name, and what it was and is, as text."""
    for name in {**before, **after}:
        yield name, _text(name, before), _text(name, after)


def _text(name: str, facts: Mapping[str, Any]) -> str:
    value = facts.get(name)
    if value is None:
        return _ABSENT
    return cell(name, value) if name.endswith("_at") else json.dumps(value)


def _fitting(indent: str, left: str, between: str, right: str, columns: int) -> list[str]:
    """Two texts on one line, or on two where that is too long; `left` alone where nothing is between."""
    if not between:
        return [f"{indent}{left}"]
    line = f"{indent}{left}{between}{right}"
    return [line] if len(line) <= columns else [f"{indent}{left}", f"{indent}  {f'{between}{right}'.lstrip()}"]
