"""How docs/results.md tells what gates stop: a sentence, a table, and a picture of what is found at which stage."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.record import ROOT

HARMS = {
    "bytes": [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5],
    "accuracy": [0.0, 0.02, 0.04, 0.06, 0.08, 0.10, 0.12, 0.16, 0.20],
    "probes": [0.0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.18, 0.24, 0.30],
}
TITLES = {
    "bytes": "bytes a frame, % more",
    "accuracy": "accuracy, points less",
    "probes": "pairs that differ, points more",
}
BUNDLES = {
    "good": "as accurate, 20 % fewer bytes",
    "accuracy": "10 points less accurate",
    "bytes": "30 % more bytes",
    "crash": "crashes on 30 % of devices",
}
LIARS = {
    "honest": "nobody",
    "stop": "2 %, to stop it",
    "let_through": "2 %, to let it through",
}
COLOURS = {1: "tab:orange", 5: "tab:blue", 25: "tab:green"}
PICTURE = ROOT / "docs" / "images" / "rollout-gates.png"
Figures = Mapping[str, float]


def sentence(of: Figures) -> str:
    """The claim."""
    bad = [f"{bundle}_{liars}" for bundle in BUNDLES if bundle != "good" for liars in LIARS]
    honest = max(of[f"reached_most_{name}"] for name in bad if name.endswith("honest"))
    stopped = min(of[f"stopped_{name}"] for name in bad)
    return (
        f"Gates stop {of['stopped_good_honest']:.1%} of rollouts of a good bundle, {of['stopped_good_stop']:.1%} where "
        f"2 % of the devices lie to that end, and at least {stopped:.1%} of those of bad ones, which reach "
        f"{honest:.0%} of the devices at most; where 2 % lie for them, "
        f"{max(of[f'reached_over_5_percent_{name}'] for name in bad):.1%} at most get further than that."
    )


def table(of: Figures) -> str:
    """A row a bundle and kind of liars."""
    lines = [
        "| new bundle | who lies | stopped | by a gate that fails | reached, mean | reached, most | over 5 % |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for bundle, words in BUNDLES.items():
        for liars, who in LIARS.items():
            key = f"{bundle}_{liars}"
            interval = f"{of[f'stopped_{key}']:.1%} ({of[f'stopped_low_{key}']:.1%} to {of[f'stopped_high_{key}']:.1%})"
            reached = f"{of[f'reached_mean_{key}']:.1%} | {of[f'reached_most_{key}']:.0%}"
            over = f"{of[f'reached_over_5_percent_{key}']:.1%}"
            lines.append(f"| {words} | {who} | {interval} | {of[f'failed_{key}']:.1%} | {reached} | {over} |")
    errors = [key for key in of if key.startswith("wrongly_failed_")]
    most = max(of[key] for key in errors)
    return "\n".join(lines) + (
        f"\n\nA gate that may err in 5 % of cases fails bundles that are just as bad as its limit in {most:.2%} "
        f"at most, with 5, 20, 100 or 1,000 devices in each arm. Seven gates judge 10,000 devices in "
        f"{of['judge_ms_10000_devices']:.0f} ms of processor time.\n"
    )


def draw(of: Figures, path: Path = PICTURE) -> None:
    """A panel a kind of gate, a colour a stage: how often a harm fails, and how often it is kept from passing."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only drawing needs it)

    page = Figure(figsize=(11, 4.3), layout="constrained")
    for axes, (kind, title) in zip(page.subplots(1, len(TITLES), sharey=True), TITLES.items(), strict=True):
        harms = [100 * harm for harm in HARMS[kind]]
        for percent, colour in COLOURS.items():
            names = [f"{kind}_{percent}_percent_{i}" for i in range(len(harms))]
            fails = [100 * of[f"fails_{name}"] for name in names]
            held = [100 - 100 * of[f"passes_{name}"] for name in names]
            axes.plot(harms, fails, "o-", color=colour, markersize=3, label=f"fails at {percent} % of devices")
            axes.plot(harms, held, "--", color=colour, linewidth=1, label=f"does not pass at {percent} %")
        axes.set_xlabel(title)
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    page.axes[0].set_ylabel("% of rollouts, at the last look")
    page.legend(*page.axes[0].get_legend_handles_labels(), fontsize=8, ncols=len(COLOURS), loc="outside lower center")
    page.savefig(path, dpi=110)
