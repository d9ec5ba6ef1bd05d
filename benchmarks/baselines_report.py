"""What a server knows without originals and labels, in words: the claim's sentence and table."""

from collections.abc import Mapping

Figures = Mapping[str, float]
ENTRIES = ("cifar100_60", "cifar100_100", "cifar100_150", "cifar100_300")


def sentence(of: Figures) -> str:
    """How far off both estimates are at most."""
    return (
        f"Of the zoo's bundles a server tells what ordinary JPEG of CIFAR-100's test pictures would cost to "
        f"{_worst(of, 'bytes_error_percent'):.2f} % (before the trainer's factor: "
        f"{_worst(of, 'bytes_error_percent_before'):.0f} %), and how accurate answers are without a label to "
        f"{_worst(of, 'estimate_error_points'):.1f} points (before the temperature: "
        f"{_worst(of, 'estimate_error_points_before'):.1f})."
    )


def table(of: Figures) -> str:
    """A row a bundle."""
    lines = [
        "| bundle | ordinary JPEG's bytes, before the factor | after it | saving | accuracy | estimate, before the "
        "temperature | after it |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    return "\n".join([*lines, *(_row(of, name) for name in ENTRIES)]) + "\n"


def _row(of: Figures, name: str) -> str:
    return (
        f"| {name.replace('_', '-')} | {of[f'bytes_error_percent_before_{name}']:+.1f} % | "
        f"{of[f'bytes_error_percent_{name}']:+.2f} % | {of[f'saving_percent_{name}']:.1f} % | "
        f"{of[f'accuracy_{name}']:.1%} | {of[f'estimate_error_points_before_{name}']:+.1f} points | "
        f"{of[f'estimate_error_points_{name}']:+.1f} points |"
    )


def _worst(of: Figures, key: str) -> float:
    """The largest of an error over the bundles, whatever its sign."""
    return max(abs(of[f"{key}_{name}"]) for name in ENTRIES)
