"""Write docs/results.md, and the README's table, from benchmarks/results/*.json: `make results`.

With `--check` nothing is written, and the exit status says whether everything is up to date.
"""

import json
import sys
from typing import Any

from benchmarks.record import RESULTS, ROOT

BEGIN, END = "<!-- results:demo -->", "<!-- /results:demo -->"
ABOUT = {
    "demo": (
        "The demo: ordinary JPEG, v1, v2",
        "`make demo`, cold and then warm, in a fresh clone. n counts the different held-out pictures; each was sent at "
        "least once a row.",
    ),
    "synthetic": (
        "The data set `synthetic`: accuracy depends on the bytes spent",
        "Standard tables at several qualities (with Annex K's Huffman tables, as ordinary cameras have) and learned "
        "tables at several budgets (with fitted Huffman tables), each with a net of its own, same recipe and seed; "
        "scan bytes a frame and accuracy on the n held-out pictures, through the real codec and the exported "
        "classifier. One seed.\n\n"
        "![Rate and accuracy](images/synthetic-rate-accuracy.png)",
    ),
}


def main() -> int:
    """Write the pages, or compare them with what is there."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    pages = {ROOT / "docs" / "results.md": results_page(records)}
    if "demo" in records:
        readme = ROOT / "README.md"
        pages[readme] = with_demo_table(readme.read_text(), records["demo"])
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what benchmarks/results/ says; run `make results`")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path])
    return 0


def results_page(records: dict[str, dict[str, Any]]) -> str:
    """docs/results.md, whole."""
    parts = [
        "# Results\n\nWritten by `make results` from `benchmarks/results/`; do not edit. "
        "Each section: `make bench NAME=<name>`.\n"
    ]
    for name, record in records.items():
        title, words = ABOUT.get(name, (name, ""))
        parts.append(f"## {title}\n\n{words}\n")
        if name == "demo":
            parts.append(demo_table(record["figures"]))
        parts.append("| figure | value |\n|---|---:|")
        parts += [f"| `{key}` | {value:g} |" for key, value in record["figures"].items()]
        parts.append(f"\nn = {record['n']}; {record['machine']}; {record['date']}; commit {record['commit']}\n")
    return "\n".join(parts)


def with_demo_table(readme: str, record: dict[str, Any]) -> str:
    """The README with the demo's table between its two markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    note = f"n = {record['n']} held-out pictures, each sent in every way; {record['machine']}; {record['date'][:10]}."
    return f"{before}{BEGIN}\n{demo_table(record['figures'])}\n{note}\n{END}{after}"


def demo_table(figures: dict[str, float]) -> str:
    """Bytes a frame and accuracy of the three ways to send the same frames."""
    whole = figures["wire_bytes_standard"]
    rows = [
        "| the same frames as | JPEG stream | of it scan | on the wire, HTTP included | saving | accuracy |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for key, words, stream in (
        ("standard", "ordinary JPEG files, one by one", "jfif_bytes_standard"),
        ("v1", "**v1**: standard tables", "stream_bytes_v1"),
        ("v2", "**v2**: learned tables", "stream_bytes_v2"),
    ):
        wire = figures[f"wire_bytes_{key}"]
        saving = "" if key == "standard" else f"**{1 - wire / whole:.0%}**"
        rows.append(
            f"| {words} | {figures[stream]:.0f} B | {figures[f'scan_bytes_{key}']:.0f} B | {wire:.0f} B "
            f"| {saving} | {figures[f'accuracy_{key}']:.1%} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
