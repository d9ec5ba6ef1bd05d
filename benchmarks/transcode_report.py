"""How docs/results.md tells what transcoding costs and saves."""

from collections.abc import Mapping

SIZES = {"own": "32 x 32, as the bundle", "large": "640 x 480"}
QUALITIES = (75, 90, 95)
HEADS = (
    "accuracy by pixels",
    "transcoded, points",
    "another label",
    "bytes",
    "transcoded",
    "us by pixels",
    "transcoded",
)


def sentence(of: Mapping[str, float]) -> str:
    """The claim."""
    return (
        f"Against frames made of pixels, those transcoded from 640 x 480 files of quality 90 differ by "
        f"{of['points_large_90']:+.2f} ± {of['points_error_large_90']:.2f} points in accuracy and by "
        f"{of['bytes_large_90_transcode'] / of['bytes_large_90_pixels'] - 1:+.1%} in bytes, at "
        f"{of['times_faster_large_90']:.1f} times less processor time; from files of the bundle's own size, by "
        f"{of['points_own_90']:+.2f} ± {of['points_error_own_90']:.2f} points and "
        f"{of['bytes_own_90_transcode'] / of['bytes_own_90_pixels'] - 1:+.1%}, at "
        f"{of['times_faster_own_90']:.1f} times less."
    )


def table(of: Mapping[str, float]) -> str:
    """A row a size and quality of the camera's files."""
    lines = [f"| the camera's JPEGs | {' | '.join(HEADS)} |", "|---|" + "---:|" * len(HEADS)]
    for size, words in SIZES.items():
        lines += [f"| {words}, quality {of_q} | {' | '.join(_cells(of, f'{size}_{of_q}'))} |" for of_q in QUALITIES]
    return "\n".join(lines) + "\n"


def _cells(of: Mapping[str, float], at: str) -> tuple[str, ...]:
    return (
        f"{of[f'accuracy_{at}_pixels']:.2%}",
        f"{of[f'points_{at}']:+.2f} ± {of[f'points_error_{at}']:.2f}",
        f"{of[f'disagree_{at}']:.1%}",
        f"{of[f'bytes_{at}_pixels']:.1f}",
        f"**{of[f'bytes_{at}_transcode']:.1f}**",
        f"{of[f'pixels_us_{at}']:,.0f}",
        f"**{of[f'transcode_us_{at}']:,.0f}**",
    )
