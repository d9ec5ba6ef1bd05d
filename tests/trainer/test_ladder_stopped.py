"""A ladder that is told to stop."""

import pytest

from trainer.ladder import Command, run_commands


def test_ctrl_c_lets_no_further_rung_begin(tmp_path):
    """The first ends at once, the second is at work by then, and the third has not begun."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))

    def interrupted(folder):
        if folder == first:
            raise KeyboardInterrupt

    commands = [Command(first, ()), Command(second, (["recipes"],)), Command(third, ())]
    with pytest.raises(KeyboardInterrupt):
        run_commands(commands, 1, interrupted)
    assert first.exists()
    assert not third.exists()
