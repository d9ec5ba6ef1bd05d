"""Quantities in words."""

import pytest

from cloud_server.console import words


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (12_345, "12.3 kB"), (999_600, "1.00 MB"), (3.2e15, "3.20 PB")],
)
def test_bytes_have_three_digits_in_the_unit_that_suits_them(count: float, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [(100, "now"), (41, "59 seconds ago"), (40, "1 minute ago"), (220, "in 2 minutes"), (-7200, "2 hours ago")],
)
def test_a_moment_is_told_by_how_long_ago_it_is(at: float, said: str) -> None:
    assert words.ago(at, 100) == said


def test_thousands_are_set_apart_and_one_thing_is_no_plural() -> None:
    assert words.plural(1, "device") == "1 device"
    assert words.plural(12_345, "device") == "12\u202f345 devices"
    assert words.plural(2, "family", "families") == "2 families"


def test_moments_are_written_in_utc() -> None:
    assert (words.moment(0), words.day(86_399), words.iso(1)) == (
        "1970-01-01 00:00",
        "1970-01-01",
        "1970-01-01T00:00:01Z",
    )


def test_shares_are_percentages() -> None:
    assert (words.percent(0.9734), words.percent(1, 0)) == ("97.3 %", "100 %")


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/139.0 Safari/537.36 Edg/139.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.0 " + "x" * 60, "curl/8.0 " + "x" * 31),
        ("", "unknown"),
    ],
)
def test_a_browser_is_told_by_its_name_and_system(agent: str, said: str) -> None:
    assert words.browser(agent) == said
