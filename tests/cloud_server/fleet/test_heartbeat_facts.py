"""What a heartbeat says of a device's condition, as people read it."""

from typing import Any

from cloud_server.fleet.heartbeat_facts import heartbeat_facts

CONDITION: dict[str, Any] = {
    "oldest_frame_seconds": 7200.0,
    "dropped": {"quota": 3, "age": 1},
    "traffic": {
        "sent": 700,
        "received": 90,
        "spent": {"hour": {"bytes": 500, "limit": 500}, "day": {"bytes": 790, "limit": None}},
    },
    "source": {"condition": "lost", "since_seconds": 90, "pictures": 5, "losses": 1, "fault": "no route"},
    "board": {"temperature_celsius": 56.2, "free_disk_bytes": 5 << 20, "memory_bytes": None},
    "last_fault": {"code": "source-lost", "reason": "no route", "ago_seconds": 90},
    "restarts": {"updater": 2},
    "troubles": ["budget-exhausted", "source-lost"],
}


def test_a_devices_condition_is_told_in_lines_with_units() -> None:
    settings = {"named": "digits/settings-2.json", "in_effect": 1, "code": "untrusted", "reason": "nobody signed it"}
    facts = dict(heartbeat_facts({"condition": CONDITION, "settings": settings}))
    assert facts == {
        "troubles": "budget-exhausted, source-lost",
        "oldest waits for": "2 h 0 min",
        "dropped": "1 age, 3 quota",
        "sent, received": "700 bytes, 90 bytes since it was enrolled",
        "of the budgets": "hour 500 of 500 bytes, day 790 bytes",
        "camera": "lost for 1 min 30 s; lost 1 time; last fault: no route",
        "board": "56 °C, 5 MiB of disk free",
        "last fault": "source-lost: no route (1 min 30 s before)",
        "started anew": "2 updater",
        "settings from afar": "number 1 in effect; digits/settings-2.json is not: untrusted (nobody signed it)",
    }


def test_what_a_heartbeat_of_an_older_program_leaves_out_is_left_out() -> None:
    assert heartbeat_facts({}) == []
    assert heartbeat_facts({"condition": {}, "settings": {"in_effect": 4}}) == [
        ("settings from afar", "number 4 in effect")
    ]
