"""What a text may hold, and how one that holds more is shown."""

import re

import pytest

from shared.errors import PeerError
from shared.plain_text import PLAIN, escaped, escaped_lines, is_plain, require_plain

REFUSED = "\x00\t\n\r\x1b\x7f\x85\x9b\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff"
TAKEN = " ~\xa0éß猫\u200c\u200d\u200f\U0001f468\U0010ffff"


@pytest.mark.parametrize("character", REFUSED)
def test_a_text_with_what_a_terminal_or_a_table_takes_for_a_command_is_refused_and_shown_escaped(
    character: str,
) -> None:
    text = f"north{character}roof"
    assert not is_plain(text)
    with pytest.raises(PeerError, match="name: the character"):
        require_plain(text, "name")
    shown = escaped(text)
    assert shown.isascii()
    assert is_plain(shown)
    assert is_plain(shown.encode().decode())


@pytest.mark.parametrize("character", TAKEN)
def test_letters_of_every_writing_are_taken_and_shown_as_they_are(character: str) -> None:
    assert is_plain(character)
    assert escaped(character) == character
    require_plain(character, "name")


@pytest.mark.parametrize("character", REFUSED + TAKEN)
def test_the_pattern_of_schemas_is_the_same_rule(character: str) -> None:
    is_half = "\ud800" <= character <= "\udfff"
    assert is_half or (re.fullmatch(PLAIN[1:-1], character) is not None) == is_plain(character)


def test_lines_stay_lines() -> None:
    assert escaped_lines("one\n\x1b[31mtwo") == "one\n\\x1b[31mtwo"
