"""Write docs/results.md, its pictures and the README's table from benchmarks/results/*.json: `make results`.

With `--check` nothing is written, and the exit status says whether the two pages are up to date.
"""

import json
import sys
from typing import Any

from benchmarks.claims import CLAIMS, Claim, demo_table, draw
from benchmarks.record import RESULTS, ROOT

BEGIN, END = "<!-- results:demo -->", "<!-- /results:demo -->"
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
    readme = ROOT / "README.md"
    pages = {
        ROOT / "docs" / "results.md": results_page(records),
        readme: with_demo_table(readme.read_text(), records["demo"]),
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


def with_demo_table(readme: str, record: Record) -> str:
    """The README with the demo's table between its two markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    note = f"n = {record['n']} held-out pictures, each sent in every way; {record['machine']}; {record['date'][:10]}."
    return f"{before}{BEGIN}\n{demo_table(record['figures'])}\n{note}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
