"""A family's report as a table for people."""

from typing import Any

from cloud_server.cli.output import say, show_table

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
    "audited": "audited",
    "estimated": "estimated",
}


def show_report(report: dict[str, Any]) -> None:
    """One line a version, and what the savings are against."""
    empty = f"No frame of family {report['family']} was answered in this time."
    show_table(f"Report on {report['family']}", [_row(version) for version in report["versions"]], _COLUMNS, empty)
    if report["versions"]:
        say(_said_of(report["baseline"], report["versions"]))


def _row(version: dict[str, Any]) -> dict[str, Any]:
    sizes = version["bytes"] or {}
    parts = {name: f"{sizes[name]:.1f}" if sizes else "unknown" for name in ("total", "scan", "markers", "http")}
    matches = ", ".join(f"{count} {match}" for match, count in version["by_match"].items())
    return (
        version
        | parts
        | {
            "own_tables": f"{sizes['tables']:.1f}" if sizes else "unknown",
            "matches": matches,
            "saving": None if version["tables"] == "interchange" else _saving(version),
            "accuracy": _accuracy(version["accuracy"]),
            "audited": _accuracy(version["audited"]),
            "estimated": _estimated(version["estimated"]),
        }
    )


def _saving(version: dict[str, Any]) -> str:
    if version["saving"] is None:
        return "unknown"
    about = "about " if version["saving_source"] == "estimated" else ""
    return f"{about}{version['saving']:.1%}"


def _estimated(estimate: dict[str, Any] | None) -> str:
    return "unknown" if estimate is None else f"{estimate['share']:.1%}"


def _accuracy(accuracy: dict[str, Any] | None) -> str:
    if accuracy is None:
        return "unknown"
    interval = f"{accuracy['low']:.1%} to {accuracy['high']:.1%}"
    return f"{accuracy['share']:.1%} ({interval}, n = {accuracy['labelled']})"


def _said_of(baseline: dict[str, Any], versions: list[dict[str, Any]]) -> str:
    is_posted = any(version["tables"] == "interchange" for version in versions)
    if baseline["bytes"] is None and is_posted:
        return "Savings are not known yet: another server process has not written what it counted; ask again in 5 s."
    if baseline["bytes"] is None and (made := sum((one["ordinary"] or {}).get("frames", 0) for one in versions)):
        return (
            f"Savings are estimated: of {made} frames it was found out what ordinary JPEG of the same picture would "
            "have cost. Where a device posts ordinary JPEG, they are measured."
        )
    if baseline["bytes"] is None:
        return (
            "Savings are unknown: no device of the family has posted ordinary JPEG, which would tell what it costs, "
            "and no frame was measured whose bundle says how to find that out."
        )
    when = "" if baseline["source"] == "measured" else ", before the time of this report"
    return (
        f"Savings are against ordinary JPEG of the same family: {baseline['bytes']:.1f} bytes a frame, measured on "
        f"{baseline['frames']} frames{when}."
    )
