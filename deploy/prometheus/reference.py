"""Writes docs/metrics.md and the recording rules from the code: `make metrics`; with --check, says what is stale."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from cloud_server.metric_registry import Described
from cloud_server.metrics import Metrics
from deploy.prometheus.labels import values_of
from deploy.prometheus.questions import BURNING, CHAPTERS, WINDOWS, Question, failed, failing, slow

ROOT = Path(__file__).resolve().parents[2]
PAGE, RULES = ROOT / "docs" / "metrics.md", ROOT / "deploy" / "prometheus" / "recording.yml"
_ABOUT = """# Metrics

`make metrics` writes this page from the code. The server's ops plane answers `GET /metrics`, on `:9100` unless told
otherwise; what a sensor tells is in [sensor.md](sensor.md#metrics-for-prometheus). `deploy/prometheus/` has what
Prometheus needs: what to scrape, the rules that record the answers below (`recording.yml`), and alerts, each with an
entry in the [runbook](runbook.md). No label ever holds a device, an address or a text from the network, and each label
has only the values listed here. Several processes on one database each export what they count themselves, and all of
them the same of what lies in the database: add counters up, and take the maximum of what is said of the fleet.
"""
_ASKED = """## Questions

Each line runs in a test, on a Prometheus that scrapes a server at work. Versions are taken over an hour or a day, what
the server does over five minutes; write another window in the brackets where you need it. A name under a line is the
rule that records it.
"""
_LISTED = """## Every metric

A histogram's queries write `_bucket`, `_sum` or `_count` behind its name.
"""
_HEADER = "# Written by `make metrics` from deploy/prometheus/questions.py; tested by recording_test.yml.\n"


def page() -> str:
    """docs/metrics.md."""
    return "\n".join((_ABOUT, _ASKED, *_questions(), _LISTED, *map(_metric, Metrics().described()))) + "\n"


def rules() -> str:
    """The recording rules, as Prometheus reads them; what others are made of comes first."""
    groups = [
        {"name": "dctwire-answers", "rules": [_rule(one.query, one.record) for one in _recorded()]},
        {"name": "dctwire-objectives", "rules": list(_objectives())},
    ]
    return _HEADER + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000)


def stale() -> list[Path]:
    """Which of the files are not what the code says."""
    return [path for path, text in _files().items() if not path.exists() or path.read_text() != text]


def _files() -> dict[Path, str]:
    return {PAGE: page(), RULES: rules()}


def _questions() -> Iterator[str]:
    for chapter, questions in CHAPTERS.items():
        yield f"### {chapter}\n"
        yield from map(_question, questions)


def _question(question: Question) -> str:
    recorded = f"\nrecorded as `{question.record}`\n" if question.record else ""
    return f"**{question.asks}**\n\n```promql\n{question.query}\n```\n{recorded}"


def _metric(one: Described) -> str:
    labels = "".join(f"- `{label}`: {values_of(one.name, label)}\n" for label in one.labels)
    return f"### `{one.name}`\n\n{one.kind}. {one.meaning}\n" + (f"\n{labels}" if labels else "")


def _recorded() -> Iterable[Question]:
    return (one for questions in CHAPTERS.values() for one in questions if one.record)


def _objectives() -> Iterator[dict[str, str]]:
    """What burns the error budgets, over every window but the shortest, which answers a question."""
    for window in BURNING:
        yield _rule(failing(window), f"dctwire:frames_failed:rate{window}")
    for window in WINDOWS[1:]:
        yield _rule(failed(window), f"dctwire:frames_failed:ratio_rate{window}")
        yield _rule(slow(window), f"dctwire:uploads_slow:ratio_rate{window}")


def _rule(query: str, record: str) -> dict[str, str]:
    return {"record": record, "expr": query}


def main(arguments: list[str]) -> int:
    """Write the files, or say which are stale."""
    if "--check" not in arguments:
        for path, text in _files().items():
            path.write_text(text)
        return 0
    for path in (found := stale()):
        sys.stdout.write(f"{path.relative_to(ROOT)} is not what the code says: make metrics\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
