"""A family's report as a table for people."""

from typing import Any

import typer

from cloud_server.cli.output import show_table

_COLUMNS = {
    "tables": "tables",
    "first_at": "since",
    "frames": "frames",
    "matches": "match",
    "devices": "devices",
    "total": "bytes",
    "scan": "scan",
    "own_tables": "tables inside",
    "markers": "markers",
    "http": "http",
    "saving": "saving",
    "accuracy": "accuracy",
}


def show_report(report: dict[str, Any]) -> None:
    """One line a version, and what the savings are against."""
    empty = f"No frame of family {report['family']} was answered in this time."
    show_table(f"Report on {report['family']}", [_row(version) for version in report["versions"]], _COLUMNS, empty)
    if report["versions"]:
        is_posted = any(version["tables"] == "interchange" for version in report["versions"])
        typer.echo(_said_of(report["baseline"], is_posted=is_posted))


def _row(version: dict[str, Any]) -> dict[str, Any]:
    sizes = version["bytes"] or {}
    parts = {name: f"{sizes[name]:.1f}" if sizes else "unknown" for name in ("total", "scan", "markers", "http")}
    matches = ", ".join(f"{count} {match}" for match, count in version["by_match"].items())
    saving = "unknown" if version["saving"] is None else f"{version['saving']:.1%}"
    return (
        version
        | parts
        | {
            "own_tables": f"{sizes['tables']:.1f}" if sizes else "unknown",
            "matches": matches,
            "saving": None if version["tables"] == "interchange" else saving,
            "accuracy": _accuracy(version["accuracy"]),
        }
    )


def _accuracy(accuracy: dict[str, Any] | None) -> str:
    if accuracy is None:
        return "unknown"
    interval = f"{accuracy['low']:.1%} to {accuracy['high']:.1%}"
    return f"{accuracy['share']:.1%} ({interval}, n = {accuracy['labelled']})"


def _said_of(baseline: dict[str, Any], *, is_posted: bool) -> str:
    if baseline["bytes"] is None and is_posted:
        return "Savings are not known yet: another server process has not written what it counted; ask again in 5 s."
    if baseline["bytes"] is None:
        return "Savings are unknown: no device of the family has posted ordinary JPEG, which would tell what it costs."
    when = "" if baseline["source"] == "measured" else ", before the time of this report"
    return (
        f"Savings are against ordinary JPEG of the same family: {baseline['bytes']:.1f} bytes a frame, measured on "
        f"{baseline['frames']} frames{when}."
    )
