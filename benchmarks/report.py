"""Write docs/results.md, its pictures and other pages' tables from benchmarks/results/*.json: `make results`.

With `--check` nothing is written, and the exit status says whether the pages are up to date.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import sensor_report, wire_bytes_report
from benchmarks.claims import CLAIMS, Claim, Figures, draw
from benchmarks.page_tables import demo_table, installing_table
from benchmarks.record import RESULTS, ROOT

INTRODUCTION = """\
# Results

Each claim in a sentence, with a picture and a short table. All figures behind it are in the JSON file named below it,
what they mean in the benchmark that wrote them. `make bench NAME=<name>` takes them anew, and `make results` writes
this page: do not edit it.
"""
Record = dict[str, Any]


def main() -> int:
    """Write the pages, or compare them with what is there."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    readme, docs = ROOT / "README.md", ROOT / "docs"
    getting_it, sensor = docs / "getting-it.md", docs / "sensor.md"
    pages = {
        docs / "results.md": results_page(records),
        readme: with_table(
            readme.read_text(), "demo", demo_table, records["demo"], "held-out pictures, each sent in every way"
        ),
        getting_it: with_table(
            getting_it.read_text(), "installing", installing_table, records["installing"], "environments"
        ),
        sensor: sensor_page(sensor.read_text(), records),
    }
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what benchmarks/results/ says; run `make results`")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path])
    for name, record in records.items():
        draw(CLAIMS[name], record["figures"])
    return 0


def results_page(records: dict[str, Record]) -> str:
    """docs/results.md, whole, in the order of the claims."""
    sections = [section(name, claim, records[name]) for name, claim in CLAIMS.items() if name in records]
    return "\n".join([INTRODUCTION, *sections])


def section(name: str, claim: Claim, record: Record) -> str:
    """One claim: its sentence, picture and table, and where its figures are from."""
    figures = record["figures"]
    parts = [f"## {claim.title}\n", f"{claim.sentence(figures)}\n"]
    if claim.picture:
        parts.append(f"![{claim.title}](images/{claim.picture})\n")
    if claim.table:
        parts.append(claim.table(figures))
    parts.append(
        f"n = {record['n']}; {record['machine']}; {record['date'][:10]}; commit {record['commit']}. "
        f"[All figures](../benchmarks/results/{name}.json), [how](../benchmarks/{name}.py).\n"
    )
    return "\n".join(parts)


def sensor_page(text: str, records: dict[str, Record]) -> str:
    """docs/sensor.md with its numbers."""
    text = with_table(text, "sensor", sensor_report.table, records["sensor"], "frames and rounds")
    return with_table(text, "wire_bytes", wire_bytes_report.frames_table, records["wire_bytes"], "frames of each way")


def with_table(page: str, name: str, table: Callable[[Figures], str], record: Record, of_what: str) -> str:
    """A page's text with a record's table between the two markers of its name."""
    begin, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    note = f"n = {record['n']} {of_what}; {record['machine']}; {record['date'][:10]}."
    return f"{before}{begin}\n{table(record['figures'])}\n{note}\n{end}{after}"


if __name__ == "__main__":
    sys.exit(main())
