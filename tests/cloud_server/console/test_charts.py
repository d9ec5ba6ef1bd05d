"""Charts are SVG without a style of their own, whatever the numbers and the texts are."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.console import words
from cloud_server.console.charts import HEIGHT, WIDTH, Bar, Dot, Line, bars, lines, nice_range, nice_top

NUMBERS = st.floats(0, 1e15, allow_nan=False)


def parsed(svg: str) -> ElementTree.Element:
    """The chart, which must be XML and hold nothing that a strict policy stops."""
    assert "style" not in svg
    return ElementTree.fromstring(svg)


@given(st.lists(st.tuples(st.text(max_size=8), NUMBERS, NUMBERS), max_size=40))
def test_bars_stay_within_the_picture(rows: list[tuple[str, float, float]]) -> None:
    drawn = parsed(bars("Bytes", [Bar("day", (low, high)) for _, low, high in rows], words.size))
    for rect in drawn.iter("rect"):
        assert 0 <= float(rect.attrib["x"]) <= WIDTH
        assert -0.1 <= float(rect.attrib["y"]) <= HEIGHT
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= HEIGHT


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40))
def test_dots_stay_within_the_picture(points: list[tuple[float, float]]) -> None:
    dots = [Dot(x, value, value * 0.9, value * 1.1) for x, value in points]
    drawn = parsed(lines("Accuracy", [Line("a", dots)], [(dot.x, "x") for dot in dots], words.size))
    for circle in drawn.iter("circle"):
        assert 0 <= float(circle.attrib["cx"]) <= WIDTH
        assert 0 <= float(circle.attrib["cy"]) <= HEIGHT


def test_texts_are_escaped_and_the_chart_is_told_in_words() -> None:
    drawn = bars("Bytes & more", [Bar("<b>", (1.0,), '"quoted" <script>')], words.size, "One day.")
    assert "<script>" not in drawn
    assert parsed(drawn).attrib["aria-label"] == "Bytes & more. One day."


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (0.9, 1), (1, 1), (1.1, 2), (2.2, 2.5), (4, 5), (7, 10), (1200, 2000)]
)
def test_an_axis_ends_at_a_round_number(most: float, top: float) -> None:
    assert nice_top(most) == pytest.approx(top)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_a_range_holds_what_it_is_made_for(least: float, span: float) -> None:
    low, high = nice_range(least, least + span)
    assert low <= least
    assert high >= least + span
    assert high > low


def test_lines_without_intervals_have_no_band() -> None:
    dots = [Dot(0, 1), Dot(1, 2)]
    assert "polygon" not in lines("a", [Line("a", dots)], [], words.size)
    assert "polygon" in lines("a", [Line("a", [Dot(0, 1, 0, 2), Dot(1, 2, 1, 3)])], [], words.size)
