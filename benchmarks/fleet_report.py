"""How docs/results.md tells what `fleet` found: a sentence, a table, and a picture of two rollouts over time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fleet_rollouts import Followed, Moment
from benchmarks.record import ROOT

PICTURE = ROOT / "docs" / "images" / "rollout.png"
STATES = {
    "stage": "tab:blue",
    "soak": "tab:green",
    "complete": "tab:green",
    "rolling-back": "tab:red",
    "rolled-back": "tab:red",
    "paused": "tab:orange",
}
NAMED_FROM = 0.04
"""Of the longer rollout's time, how long a state lasts at least of which the name is written."""
Figures = Mapping[str, float]


def sentence(of: Figures) -> str:
    """The claim."""
    return (
        f"{of['devices']:,.0f} cameras that start in one moment all have their assignment from one server within "
        f"{of['assignment_seconds']:.0f} s; a rollout leads all of them to a new bundle by four stages in "
        f"{of['rollout_seconds'] / 60:.1f} minutes, and one whose frames are "
        f"{of['bad_bundle_bytes_factor'] - 1:.0%} larger is taken back when {of['bad_bundle_exposed_percent']:.1f} % "
        f"of them have had it, though 2 % lie for it."
    )


def table(of: Figures) -> str:
    """A row a figure that has a bar, or ought to be known."""
    rows = [
        ("answers from 500 on, but 503 with Retry-After", f"{of['server_errors']:.0f}", "0"),
        ("the last camera has its assignment after, s", f"{of['assignment_seconds']:.1f}", "60"),
        ("cameras that proved the good bundle, %", f"{of['confirmed_percent']:.2f}", ""),
        ("cameras that ever had the bad bundle, %", f"{of['bad_bundle_exposed_percent']:.2f}", "5"),
        ("made-up rollouts of a good bundle that are stopped, %", f"{of['good_bundle_stopped_percent']:.1f}", "1"),
        ("a look at the whole fleet, ms of processor time", f"{of['look_ms']:.0f}", "200"),
        ("a frame with a rollout over one without, processor time", f"{of['frame_us_ratio']:.3f}", ""),
        ("an update, bytes", f"{of['update_bytes']:,.0f}", ""),
        ("a check that finds nothing new, bytes each way", f"{of['idle_check_bytes_each_way']:.0f}", ""),
    ]
    return "\n".join(
        ["| | | at most |", "|---|---:|---:|", *(f"| {words} | {value} | {bar} |" for words, value, bar in rows), ""]
    )


def draw(good: Followed, bad: Followed, path: Path = PICTURE) -> None:
    """The good rollout above, the bad one below: who may be exposed, who runs the new bundle, who has proved it."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only drawing needs it)

    page = Figure(figsize=(9, 6.4), layout="constrained")
    longest = max(good.seconds, bad.seconds)
    titles = ("a bundle that saves bytes", "one whose frames are larger")
    for axes, followed, title in zip(page.subplots(2, 1), (good, bad), titles, strict=True):
        seconds = [moment.seconds for moment in followed.moments]
        for percents, words, style in (
            ([moment.percent for moment in followed.moments], "may run it", "-"),
            ([100 * moment.running for moment in followed.moments], "run it", "-"),
            ([100 * moment.confirmed for moment in followed.moments], "proved it by frames", "--"),
        ):
            step = "steps-post" if words == "may run it" else "default"
            axes.plot(seconds, percents, style, drawstyle=step, label=words)
        _shade(axes, followed, longest)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(0, 200)
        axes.set_yticks([0, 1, 5, 25, 100], ["0", "1", "5", "25", "100"])
        axes.set_xlim(0, 1.02 * longest)
        axes.set_ylabel("% of cameras")
        axes.set_title(f"{title}: {followed.ended}" + (f" ({followed.words})" if followed.words else ""), fontsize=9)
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    page.axes[-1].set_xlabel("seconds since the rollout began")
    page.legend(*page.axes[0].get_legend_handles_labels(), fontsize=8, ncols=3, loc="outside lower center")
    page.savefig(path, dpi=110)


def _shade(axes: Any, followed: Followed, longest: float) -> None:
    """Name each state where it begins, its time shaded; what lasts but a moment has no room for its name."""
    moments = followed.moments
    starts = [at for at in range(len(moments)) if at == 0 or _named(moments[at]) != _named(moments[at - 1])]
    ends = [*starts[1:], len(moments) - 1]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        begins, over = moments[start].seconds, moments[end].seconds
        colour = STATES.get(moments[start].state, "0.5")
        axes.axvspan(begins, over, color=colour, alpha=0.06 + 0.04 * (number % 2), linewidth=0)
        if over - begins > NAMED_FROM * longest:
            axes.text(begins, 150, f" {_named(moments[start])}", fontsize=8, color=colour, va="center")


def _named(moment: Moment) -> str:
    return f"{moment.percent:g} %" if moment.state == "stage" else moment.state
