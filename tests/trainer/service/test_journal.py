"""What the service says, to people and to programs."""

import json
from datetime import UTC, datetime

from trainer.service.journal import Journal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_programs_get_a_line_of_json_for_each_event() -> None:
    lines: list[str] = []
    journal = Journal(lines.append, lambda: NOW, as_json=True)
    journal.say("judged", run="r", passes=False)
    journal.say("judged", run="r", passes=False)
    told = {"timestamp": "2026-01-02T03:04:05.000+00:00", "event": "judged", "run": "r", "passes": False}
    assert [json.loads(line) for line in lines] == [told, told]


def test_people_get_words_and_nothing_twice_in_a_row() -> None:
    lines: list[str] = []
    journal = Journal(lines.append, lambda: NOW, as_json=False)
    for _ in range(3):
        journal.say("waits", family="doorbell", held=["bytes: too many", "classes: it loses 'b'"])
    journal.say("ends")
    assert lines == [
        "03:04:05  waits: family doorbell, held bytes: too many; classes: it loses 'b'",
        "03:04:05  ends",
    ]
