"""The rate-accuracy figures as tables: what people look at before they read `rate_accuracy.json`."""

import re
from collections.abc import Mapping

Figures = Mapping[str, float]

BASELINES = {"jpeg": "", "jpeg_rdo": "_against_jpeg_rdo", "sensitivity": "_against_sensitivity"}
TITLES = {"jpeg": "JPEG", "jpeg_rdo": "JPEG + RDO", "sensitivity": "sensitivity only"}
ASKED = {"cifar100": ("60", "100", "150", "200", "300")}  # budgets whose rows say so where they were not run
NOT_RUN = "not run"


def tables(figures: Figures) -> str:
    """Gains by budget, BD-rates and ablations, and the pictures, of each data set."""
    names = dict.fromkeys(match[1] for key in figures if (match := re.fullmatch(r"(.+)_scan_bytes_.+B_improved", key)))
    return "\n".join(_of_data_set(figures, name) for name in names)


def most_over_sensitivity(figures: Figures) -> float:
    """The largest gain over tables made from sensitivity alone, in percentage points."""
    return max(value for key, value in figures.items() if key.endswith("B_points_against_sensitivity"))


def _of_data_set(figures: Figures, name: str) -> str:
    parts = [_gains(figures, name), _bd_rates(figures, name), _ablations(figures, name)]
    pictures = {"rate-accuracy": "Accuracy, PSNR and SSIM over bytes", "wire": "Bytes as sent", "tables": "Tables"}
    images = "\n\n".join(f"![{words}](images/{name}-{picture}.png)" for picture, words in pictures.items())
    return "\n".join([f"### {name}\n", *filter(None, parts), images, ""])


def _gains(figures: Figures, name: str) -> str:
    found = re.findall(rf"^{name}_scan_bytes_(\S+)B_improved$", "\n".join(figures), re.MULTILINE)
    headings = " | ".join(f"points over {title}" for title in TITLES.values())
    rows = [
        f"| budget | scan bytes | accuracy | JPEG's | {headings} | saving |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for budget in sorted({*found, *ASKED.get(name, ())}, key=float):
        gains = [_points(figures, f"{name}_gain_{budget}B_points{end}") for end in BASELINES.values()]
        cells = [
            _shown(figures, f"{name}_scan_bytes_{budget}B_improved", ".1f"),
            *(_shown(figures, f"{name}_accuracy_{budget}B_{kind}", ".2%") for kind in ("improved", "jpeg")),
            *gains,
            _shown(figures, f"{name}_wire_saving_{budget}B", ".0%"),
        ]
        rows.append(f"| {budget} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _bd_rates(figures: Figures, name: str) -> str:
    rows = ["| BD-rate against | % of scan bytes | between accuracies |", "|---|---:|---:|"]
    for kind, end in BASELINES.items():
        key = f"{name}_bd_rate_percent{end}"
        ends = [figures.get(f"{name}_bd_rate_{side}_accuracy{end}") for side in ("from", "to")]
        span = " and ".join(f"{each:.1%}" for each in ends if each is not None)
        rows.append(f"| {TITLES[kind]} | {_points(figures, key)} | {span} |")
    return "\n".join(rows) + "\n"


def _ablations(figures: Figures, name: str) -> str:
    found = re.findall(rf"^{name}_ablation_(\S+?)B_(\S+)_scan_bytes$", "\n".join(figures), re.MULTILINE)
    rows = ["| change | budget | accuracy | loses, points |", "|---|---:|---:|---:|"]
    for budget, label in found:
        key = f"{name}_ablation_{budget}B_{label}"
        accuracy, worth = figures[f"{key}_accuracy"], _points(figures, f"{key}_worth_points")
        rows.append(f"| {label.replace('_', ' ')} | {budget} | {accuracy:.2%} | {worth} |")
    return "\n".join(rows) + "\n" if found else ""


def _shown(figures: Figures, key: str, form: str) -> str:
    return format(figures[key], form) if key in figures else NOT_RUN


def _points(figures: Figures, key: str) -> str:
    if key not in figures:
        return NOT_RUN
    return f"**{figures[key]:+.2f}** ({figures[f'{key}_low']:+.2f} to {figures[f'{key}_high']:+.2f})"
