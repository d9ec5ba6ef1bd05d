"""How docs/results.md tells what updates cost."""

from collections.abc import Mapping


def sentence(of: Mapping[str, float]) -> str:
    """The claim."""
    return (
        f"With 1,000 families and 1,000 versions published, a device's look at the signed metadata costs "
        f"{of['idle_1000_1000']:,.0f} bytes where nothing is new (with one of each, {of['idle_1_1']:,.0f}), and a "
        f"whole update {of['update_1000_1000']:,.0f}, tables included: HTTP both ways."
    )


def table(figures: Mapping[str, float]) -> str:
    """A row a thing that a device asks, a column a layout of what is published."""
    layouts = {"1_1": "1 and 1", "1000_1": "1,000 and 1", "1_1000": "1 and 1,000", "1000_1000": "1,000 and 1,000"}
    rows = {
        "check": "asking for the assignment, nothing new",
        "idle": "following the signed metadata, nothing new",
        "update": "**an update, all of it**",
        "events": "telling what became of it",
    }
    lines = [
        f"| bytes sent + received; families and versions: | {' | '.join(layouts.values())} |",
        "|---|---:|---:|---:|---:|",
    ]
    for key, words in rows.items():
        cells = [f"{figures[f'{key}_sent_{of}']:,.0f} + {figures[f'{key}_received_{of}']:,.0f}" for of in layouts]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
