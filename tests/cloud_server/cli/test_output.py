"""Tables of the operator's commands."""

import pytest

from cloud_server.cli.output import show_table


def test_a_narrow_terminal_cuts_nothing_off_and_keeps_what_names_a_row_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    columns = {name: name for name in ("frame", "family", "reason", "answer")}
    row = {"frame": "k3v9w2xa.17", "family": "cifar100", "reason": "near_threshold", "answer": "caterpillar"}
    show_table("Samples", [row], columns, empty="none")
    printed = capsys.readouterr().out
    assert "k3v9w2xa.17" in printed
    assert "…" not in printed
