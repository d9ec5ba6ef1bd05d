"""Settings whose text is parsed."""

import pytest
import typer

from sensor_client.options.parsed import parsed
from sensor_client.policies import Schedule


def test_a_text_is_parsed_and_a_default_stays() -> None:
    parse = parsed(Schedule.of)
    schedule = parse("06:00-20:00")
    assert schedule == Schedule.of("06:00-20:00") and parse(schedule) is schedule


def test_what_is_wrong_is_said_in_the_parsers_words() -> None:
    with pytest.raises(typer.BadParameter, match="25:00 is no time of day; a schedule is such as"):
        parsed(Schedule.of)("06:00-25:00")
