"""How docs/results.md tells of drift: a sentence, a table, and a picture of delays and of the estimate's error."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.record import ROOT

ENTRIES = ("60", "100", "150", "300")
SHOWN = "150"
SHIFT_WORDS = {
    "blur": ("blur", ("sigma 0.4", "sigma 0.6", "sigma 1")),
    "noise": ("noise", ("sigma 8", "sigma 16", "sigma 32")),
    "brightness": ("brighter", ("by 16", "by 32", "by 64")),
    "contrast": ("less contrast", ("85 %", "70 %", "45 %")),
    "labels": ("fewer classes", ("50 of 100", "25 of 100", "10 of 100")),
    "smear": ("lens smear", ("radius 5", "radius 9", "radius 16")),
    "night": ("night", ("60 % light", "40 % light", "25 % light")),
}
"""By name, as in `drift_shifts`: what changed, and how much at each strength."""
STRENGTHS = 3
COLOURS = ("tab:blue", "tab:orange", "tab:red")
PICTURE = ROOT / "docs" / "images" / "drift.png"
Figures = Mapping[str, float]


def sentence(of: Figures) -> str:
    """The claim."""
    entries = measured(of)
    strong = [f"{name}_{STRENGTHS - 1}_{entry}" for name in SHIFT_WORDS for entry in entries]
    slowest = max(of[f"delay_p90_{key}"] for key in strong)
    before = max(abs(of[f"error_before_{entry}"]) for entry in entries)
    after = max(abs(of[f"error_{key}"]) for key in strong)
    return (
        f"Undisturbed streams raised {false_alarms_a_100_000(of):.2f} false alarms in 100,000 frames; nine of ten "
        f"strong changes of each kind are noticed within {slowest:,.0f} frames; the estimate of accuracy is off by "
        f"{before:.1f} points at most before a change and by up to {after:.0f} after a strong one, which is why an "
        f"alarm says not to trust it."
    )


def measured(of: Figures) -> list[str]:
    """The classifiers that were measured, `SHOWN` among them."""
    return [entry for entry in ENTRIES if f"false_alarms_{entry}" in of]


def false_alarms_a_100_000(of: Figures) -> float:
    """Of all classifiers together; each saw as many frames."""
    entries = measured(of)
    return sum(of[f"false_alarms_{entry}"] for entry in entries) / (len(entries) * of["undisturbed_frames"]) * 1e5


def table(of: Figures) -> str:
    """A row a change and strength, of the classifier at 150 bytes."""
    lines = [
        "| what changed | how much | accuracy | estimate off, points | PSI | frames to alarm, median | p90 | found |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        f"| nothing | | {of[f'accuracy_before_{SHOWN}']:.1f} % | {of[f'error_before_{SHOWN}']:+.1f} | | | | |",
    ]
    for name, (words, strengths) in SHIFT_WORDS.items():
        for strength, how_much in enumerate(strengths):
            key = f"{name}_{strength}_{SHOWN}"
            cells = [
                f"{of[f'accuracy_{key}']:.1f} %",
                f"{of[f'error_{key}']:+.1f}",
                f"{of[f'psi_{key}']:.2f}",
                *(_frames(of[f"{which}_{key}"], of["until_frames"]) for which in ("delay_median", "delay_p90")),
                f"{of[f'found_{key}']:.0%}",
            ]
            lines.append(f"| {words} | {how_much} | {' | '.join(cells)} |")
    return "\n".join(lines) + (
        f"\n\nThe zoo's classifier at {SHOWN} bytes; 100 changes a row. A watched frame costs "
        f"{of[f'us_a_frame_64_{SHOWN}']:.1f} us of processor time where 64 are looked at together.\n"
    )


def _frames(frames: float, until: float) -> str:
    return f"over {until:,.0f}" if frames >= until else f"{frames:,.0f}"


def draw(of: Figures, path: Path = PICTURE) -> None:
    """Beside each other, by change and strength: delays with their 90th percentile, and how far off the estimate is."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only drawing needs it)

    page = Figure(figsize=(11, 4.6), layout="constrained")
    delays, errors = page.subplots(1, 2)
    names = list(SHIFT_WORDS)
    for strength, colour in enumerate(COLOURS):
        at = [index + 0.27 * (strength - 1) for index in range(len(names))]
        keys = [f"{name}_{strength}_{SHOWN}" for name in names]
        median, p90 = ([of[f"{which}_{key}"] for key in keys] for which in ("delay_median", "delay_p90"))
        words = ("weak", "medium", "strong")[strength]
        delays.bar(at, median, 0.25, color=colour, label=words)
        above = [high - low for low, high in zip(median, p90, strict=True)]
        delays.errorbar(at, median, [[0] * len(at), above], fmt="none", ecolor="0.3", capsize=3)
        errors.bar(at, [of[f"error_{key}"] for key in keys], 0.25, color=colour)
    delays.set_yscale("log")
    delays.axhline(of["until_frames"], color="0.5", linestyle=":")
    words = f"not found within {of['until_frames']:,.0f} frames"
    delays.annotate(words, (-0.4, 1.1 * of["until_frames"]), fontsize=8)
    delays.set_ylim(top=3 * of["until_frames"])
    delays.set_ylabel("frames to the alarm: median, 90th percentile")
    errors.axhline(of[f"error_before_{SHOWN}"], color="0.3", linestyle="--", label="before any change")
    errors.set_ylabel("estimated less true accuracy, percentage points")
    errors.legend(fontsize=8)
    delays.legend(fontsize=8, loc="upper right")
    for axes in (delays, errors):
        axes.set_xticks(range(len(names)), [SHIFT_WORDS[name][0] for name in names], rotation=20, ha="right")
        axes.grid(axis="y", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    page.savefig(path, dpi=110)
