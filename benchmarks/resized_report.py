"""How docs/results.md tells what resizing in the codec costs."""

from collections.abc import Mapping


def table(figures: Mapping[str, float]) -> str:
    """Accuracy by way, and times by step."""
    ways = {
        "resized": "**640 x 480 files, resized in the codec**",
        "sensor": "the same files, by a sensor with Pillow",
        "original": "the pictures before they were enlarged",
    }
    sides = {
        "codec": "**codec, whole frame**",
        "codec_levels": "**codec, levels for a classifier**",
        "decoding": "of it decoding coefficients",
        "pillow": "Pillow and our encoder",
        "pillow_draft": "the same with libjpeg's reduction first",
    }
    lines = ["| the same tables on | accuracy |", "|---|---:|"]
    lines += [f"| {words} | {figures[f'accuracy_{key}']:.2%} |" for key, words in ways.items()]
    lines += ["", "| microseconds a file of 640 x 480 | |", "|---|---:|"]
    lines += [f"| {words} | {figures[f'{key}_us']:,.0f} |" for key, words in sides.items()]
    return "\n".join(lines) + "\n"
