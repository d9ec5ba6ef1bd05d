"""What an examination finds is read by people and by programs."""

from sensor_client.findings import Verdict, as_json, bad, guarded, is_well, lines, ok, warn
from shared.errors import ChannelError

FOUND = [ok("disk", "room"), warn("clock", "odd\x1b[2J", "set it"), bad("server", "silent", "see its log")]


def test_each_check_is_a_line_and_what_to_do_another() -> None:
    assert list(lines(FOUND)) == [
        "ok    disk         room",
        r"warn  clock        odd\x1b[2J",
        "                   -> set it",
        "bad   server       silent",
        "                   -> see its log",
    ]


def test_programs_read_the_same_and_only_what_is_bad_is_not_well() -> None:
    told = as_json(FOUND)
    assert told["is_well"] is False and is_well(FOUND[:2])
    assert told["checks"][2] == {"check": "server", "verdict": "bad", "said": "silent", "next_step": "see its log"}  # type: ignore[index]


def test_a_check_that_fails_found_something_bad() -> None:
    def look() -> object:
        raise ChannelError("refused")

    found = guarded("server", look, "see its log")  # type: ignore[arg-type]
    assert (found.verdict, found.said, found.next_step) == (Verdict.BAD, "refused", "see its log")
