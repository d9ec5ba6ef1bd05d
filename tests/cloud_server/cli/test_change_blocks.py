"""A change of the audit as a block of lines that fits the terminal."""

from typing import Any

import pytest

from cloud_server.cli.change_blocks import change_block

ROW: dict[str, Any] = {
    "seq": 12,
    "at_ms": 1795952210527,
    "operator": "nightly-training",
    "role": "operator",
    "address": "192.0.2.77",
    "action": "device.quarantine",
    "subject": "2cvxpk4z",
    "before": {"seen_at": 0, "reason": None, "assigned": 2},
    "after": {"seen_at": 86400, "reason": "odd\x1b", "assigned": 2},
}


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_change_fits_the_terminal_and_nothing_is_left_out(columns: int) -> None:
    block = change_block(ROW, columns)
    assert all(len(line) <= columns for line in block.split("\n"))
    words = " ".join(block.split())
    assert "device.quarantine 2cvxpk4z by nightly-training (operator) from 192.0.2.77" in words
    assert "seen_at: 1970-01-01 00:00:00Z → 1970-01-02 00:00:00Z" in words
    assert 'reason: - → "odd\\u001b"' in words


def test_what_stayed_as_it_was_and_what_is_new_are_said_once() -> None:
    assert "  assigned: 2\n" in change_block(ROW, 80) + "\n"
    assert "  seen_at: 1970-01-02 00:00:00Z\n" in change_block(ROW | {"before": None}, 80)


def test_what_is_gone_is_said_as_it_was() -> None:
    assert "  assigned: 2 → -" in change_block(ROW | {"after": None}, 80)
