"""Write docs/results.md, its pictures and other pages' tables from benchmarks/results/*.json: `make results`.

With `--check` nothing is written, and the exit status says whether the pages are up to date.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.claims import CLAIMS, Claim, Figures, demo_table, draw, installing_table
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
    readme, getting_it = ROOT / "README.md", ROOT / "docs" / "getting-it.md"
    pages = {
        ROOT / "docs" / "results.md": results_page(records),
        readme: with_table(readme, "demo", demo_table, records["demo"], "held-out pictures, each sent in every way"),
        getting_it: with_table(getting_it, "installing", installing_table, records["installing"], "environments"),
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


def with_table(page: Path, name: str, table: Callable[[Figures], str], record: Record, of_what: str) -> str:
    """The page with a record's table between the two markers of its name."""
    begin, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    note = f"n = {record['n']} {of_what}; {record['machine']}; {record['date'][:10]}."
    return f"{before}{begin}\n{table(record['figures'])}\n{note}\n{end}{after}"


if __name__ == "__main__":
    sys.exit(main())
