"""dctwire and its peers as tables and a picture: what people look at before they read `serving_vs_peers.json`."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.record import ROOT

SIDES = {
    32: {
        "dctwire": "**dctwire**, as the server chose",
        "dctwire_fp32": "**dctwire**, float32",
        "fastapi_pillow": "FastAPI, Pillow, ResNet-20",
        "fastapi_pillow_int8": "FastAPI, Pillow, ResNet-20 in int8",
        "litserve": "LitServe, Pillow, ResNet-20",
        "litserve_int8": "LitServe, Pillow, ResNet-20 in int8",
    },
    224: {
        "dctwire": "**dctwire**",
        "mobilenetv2": "FastAPI, Pillow, MobileNetV2",
        "resnet50": "FastAPI, Pillow, ResNet-50",
    },
}
COLUMNS = {"fps": "frames a second", "p50_ms": "p50, ms", "p99_ms": "p99, ms"}
DRAWN = {"fps": "frames a second (more is better)", "p99_ms": "p99, milliseconds (less is better)"}
PICTURE = ROOT / "docs" / "images" / "serving-vs-peers.png"
Figures = Mapping[str, float]


def tables(figures: Figures) -> str:
    """Markdown: one row a side, one table a size."""
    parts = ["![Frames a second, and p99](images/serving-vs-peers.png)\n"]
    for side, names in SIDES.items():
        parts.append(f"| {side} x {side} | {' | '.join(COLUMNS.values())} | dctwire is so many times faster |")
        parts.append(f"|---|{'---:|' * (len(COLUMNS) + 1)}")
        parts += [_row(name, words, side, figures) for name, words in names.items()]
        parts.append("")
    return "\n".join(parts)


def _row(name: str, words: str, side: int, figures: Figures) -> str:
    cells = [shown(figures[f"{column}_{name}_{side}"]) for column in COLUMNS]
    times = figures.get(f"fps_vs_{name}_{side}")
    return f"| {words} | {' | '.join(cells)} | {'' if times is None else f'{times:.2f}'} |"


def draw(figures: Figures, path: Path = PICTURE) -> None:
    """Bars: throughput left, p99 right, a row a size."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only drawing needs it)

    page = Figure(figsize=(11, 4.6), layout="constrained")
    panels = page.subplots(len(SIDES), len(DRAWN), height_ratios=[len(names) for names in SIDES.values()])
    for row, (side, names) in zip(panels, SIDES.items(), strict=True):
        for axes, (column, words) in zip(row, DRAWN.items(), strict=True):
            values = [figures[f"{column}_{name}_{side}"] for name in names]
            colours = ["tab:blue" if name.startswith("dctwire") else "0.7" for name in names]
            bars = axes.barh([label.replace("**", "") for label in names.values()], values, color=colours)
            axes.bar_label(bars, labels=[shown(value) for value in values], padding=3)
            axes.set_title(f"{side} x {side}: {words}", fontsize=10)
            axes.set_xlim(0, 1.15 * max(values))
            axes.invert_yaxis()
            axes.spines[["top", "right", "bottom"]].set_visible(False)
            axes.xaxis.set_visible(False)
            axes.tick_params(left=False, labelleft=column == "fps")
    page.savefig(path, dpi=110)


def shown(value: float) -> str:
    """Three digits that count, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
