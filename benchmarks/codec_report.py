"""The codec's figures as tables and a picture: what people look at before they read `codec.json`."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.record import ROOT

SIZES = {32: "32 x 32", 224: "224 x 224", 720: "1280 x 720"}
DECODERS = {
    "ours": "**dctwire**, coefficients",
    "libjpeg": "libjpeg-turbo in C, coefficients",
    "libjpeg_ctypes": "libjpeg-turbo through ctypes, coefficients",
    "jpeg2dct": "jpeg2dct-numpy, coefficients",
    "jpeglib": "jpeglib, coefficients, from a file",
    "simplejpeg_rgb": "simplejpeg, pixels",
}
ENCODERS = {
    "ours": "**dctwire**",
    "rdo": "dctwire, levels by rate and distortion",
    "simplejpeg": "simplejpeg (its fast DCT)",
    "pillow": "Pillow",
}
STREAMS = {
    "ours_abbreviated": "**dctwire**, abbreviated frame",
    "ours_rdo": "**dctwire**, abbreviated frame, levels by rate and distortion",
    "ours_fitted": "**dctwire**, abbreviated frame, fitted Huffman tables",
    "ours_interchange": "dctwire, interchange",
    "simplejpeg": "simplejpeg",
    "pillow": "Pillow, three tables",
    "pillow_optimised": "Pillow, three tables, `optimize`",
}
OURS = ("ours", "rdo")
READERS = {
    "ours": "**dctwire**",
    "libjpeg": "libjpeg-turbo in C",
    "simplejpeg": "simplejpeg",
    "pillow": "Pillow",
    "jpeg2dct": "jpeg2dct-numpy",
    "jpeglib": "jpeglib",
    "pyjpegio": "pyjpegio",
}
BEHAVIOUR = {
    "crashes": "processes ended",
    "hangs": "over 2 s",
    "over_50ms": "over 50 ms",
    "truncated_accepted": "cut files accepted",
    "leaked_mib": "MiB leaked",
    "leaked_descriptors": "descriptors leaked",
    "peak_mib": "peak MiB",
}
PICTURE = ROOT / "docs" / "images" / "codec-speed.png"
Figures = Mapping[str, float]


def tables(figures: Figures) -> str:
    """Markdown: times and sizes."""
    batches = (
        f"Batches on one thread against a loop in C over libjpeg-turbo: 256 frames of 32 x 32 "
        f"**{figures['batch_32_vs_libjpeg']:.2f} times** faster, 64 of 224 x 224 "
        f"**{figures['batch_224_vs_libjpeg']:.2f} times**; two threads {figures['threads2_vs_1']:.2f} times faster "
        f"than one; levels {figures['int16_vs_float']:.2f} times faster than dequantised float32.\n"
    )
    parts = [
        "![Microseconds a picture](images/codec-speed.png)\n",
        *table("microseconds to decode a frame", DECODERS, "decode1_{size}_{side}_us", figures),
        batches,
        *table("microseconds to encode a picture", ENCODERS, "encode_{size}_{side}_us", figures),
        *table("bytes a picture", STREAMS, "bytes_{size}_{side}", figures),
    ]
    return "\n".join(parts)


def hostile_table(figures: Figures) -> str:
    """Markdown: a peer a row, what it does to its process a column."""
    rows = [f"| peer | {' | '.join(BEHAVIOUR.values())} |", f"|---{'|---:' * len(BEHAVIOUR)}|"]
    for reader, words in READERS.items():
        cells = " | ".join(f"{figures[f'{reader}_{key}']:.0f}" for key in BEHAVIOUR)
        rows.append(f"| {words} | {cells} |")
    return "\n".join([*rows, ""])


def table(title: str, sides: Mapping[str, str], name: str, figures: Figures) -> list[str]:
    """One row a side, one column a size; empty where nothing was measured."""
    rows = []
    for side, words in sides.items():
        cells = [figures.get(name.format(size=size, side=side)) for size in SIZES]
        if any(cell is not None for cell in cells):
            rows.append(f"| {words} | {' | '.join('' if cell is None else shown(cell) for cell in cells)} |")
    return [f"| {title} | {' | '.join(SIZES.values())} |", "|---|---:|---:|---:|", *rows, ""] if rows else []


def shown(value: float) -> str:
    """Three digits that count, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def draw(figures: Figures, path: Path = PICTURE) -> None:
    """Bars: microseconds a picture, a panel a size, decoding above encoding."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (only drawing needs it)

    page = Figure(figsize=(11, 5.6), layout="constrained")
    rows = (
        ("decode", DECODERS, "decode1_{size}_{side}_us", ("jpeglib",)),
        ("encode", ENCODERS, "encode_{size}_{side}_us", ()),
    )
    for row, (what, sides, name, too_slow) in enumerate(rows):
        drawn = [side for side in sides if side not in too_slow]
        for column, (size, words) in enumerate(SIZES.items()):
            axes = page.add_subplot(len(rows), len(SIZES), row * len(SIZES) + column + 1)
            values = [figures[name.format(size=size, side=side)] for side in drawn]
            colours = ["tab:blue" if side in OURS else "0.7" for side in drawn]
            bars = axes.barh([plain(sides[side]) for side in drawn], values, color=colours)
            axes.bar_label(bars, labels=[shown(value) for value in values], padding=3)
            axes.set_title(f"{what} {words}, microseconds", fontsize=10)
            axes.set_xlim(0, 1.2 * max(values))
            axes.invert_yaxis()
            axes.spines[["top", "right", "bottom"]].set_visible(False)
            axes.xaxis.set_visible(False)
            axes.tick_params(left=False, labelleft=column == 0)
    page.savefig(path, dpi=110)


def plain(words: str) -> str:
    """A name without Markdown and without what it gives."""
    return words.replace("**", "").removesuffix(", coefficients")
