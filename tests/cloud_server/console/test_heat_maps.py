"""Tables as heat maps: every number stands at its frequency, and is told to whoever does not see it."""

import numpy as np

from cloud_server.console.heat_maps import HeatMap, encoder_facts, rounding_maps, step_maps
from shared.bundle import EncoderSettings
from shared.jpeg import TableSet
from tests.shared.bundle.test_bundle import make

STEPS = np.arange(1, 65, dtype=np.uint8)
NEAREST = EncoderSettings()


def quantised(*steps: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> TableSet:
    """Tables of these steps, uint8 (64,) for each of Y, Cb and Cr."""
    return TableSet.standard(50).with_quant(np.stack(steps))


def at(shown: HeatMap, row: int, column: int) -> tuple[str, int, bool]:
    """What stands there: text, shade, and whether it is masked."""
    (cell,) = (one for one in shown.cells if (one.row, one.column) == (row, column))
    return cell.text, cell.shade, cell.is_masked


def test_each_step_stands_at_its_frequency_in_a_shade_for_each_doubling() -> None:
    steps = STEPS.copy()
    steps[8], steps[63] = 128, 255
    luma, _ = step_maps(make(tables=quantised(steps, STEPS, STEPS), settings=NEAREST))
    assert len(luma.cells) == 64
    assert at(luma, 0, 0) == ("1", 0, False)
    assert at(luma, 0, 2) == ("3", 1, False)
    assert at(luma, 0, 3) == ("4", 2, False)
    assert at(luma, 1, 0) == ("128", 7, False)
    assert at(luma, 7, 7) == ("255", 7, False)


def test_chroma_is_shown_once_only_where_both_are_alike_in_everything() -> None:
    one = make(tables=quantised(STEPS, STEPS, STEPS), settings=NEAREST)
    other_steps = make(tables=quantised(STEPS, STEPS, STEPS[::-1].copy()), settings=NEAREST)
    mask = np.zeros((3, 64), np.bool_)
    mask[2, 63] = True
    other_mask = make(tables=one.tables, settings=EncoderSettings.nearest(mask=mask))
    offsets = np.full((3, 64), 0.5)
    offsets[1, 5] = 0.25
    other_rounding = make(tables=one.tables, settings=EncoderSettings.nearest(rounding=offsets))
    assert [len(step_maps(bundle)) for bundle in (one, other_steps, other_mask, other_rounding)] == [2, 3, 3, 3]
    assert [shown.title for shown in step_maps(one)] == [
        "Quantisation steps of luma (Y)",
        "Quantisation steps of chroma (Cb and Cr)",
    ]


def test_the_description_has_every_number_row_by_row_and_says_which_frequencies_are_never_coded() -> None:
    mask = np.zeros((3, 64), np.bool_)
    mask[0, 1] = True
    luma = step_maps(make(tables=quantised(STEPS, STEPS, STEPS), settings=EncoderSettings.nearest(mask=mask)))[0]
    rows = luma.description.partition(": ")[2].rstrip(".").split("; ")
    assert rows[0] == "1 never-coded 3 4 5 6 7 8"
    assert [row.split()[0] for row in rows] == ["1", "9", "17", "25", "33", "41", "49", "57"]
    assert at(luma, 0, 1)[2]


def test_rounding_is_shown_only_where_it_is_not_to_the_nearest_and_darker_where_the_dead_zone_is_wider() -> None:
    offsets = np.full((3, 64), 0.5)
    offsets[0, 0], offsets[0, 1] = 0.0, 0.25
    assert rounding_maps(make(settings=NEAREST)) == []
    luma = rounding_maps(make(settings=EncoderSettings.nearest(rounding=offsets)))[0]
    assert luma.title == "Rounding of luma (Y), in 1/128 of a step"
    assert (at(luma, 0, 0), at(luma, 0, 1), at(luma, 0, 2)) == (("0", 7, False), ("32", 3, False), ("64", 0, False))


def test_what_an_encoder_does_beyond_its_steps_is_said_and_nothing_else() -> None:
    mask = np.zeros((3, 64), np.bool_)
    mask[0, 60:] = True
    assert encoder_facts(NEAREST) == []
    (masked,) = encoder_facts(EncoderSettings.nearest(mask=mask))
    assert "4 of 64 in luma (Y), 0 of 64 in chroma (Cb)" in masked
    (rounded,) = encoder_facts(EncoderSettings.nearest(rounding=0.4))
    assert "wider dead zone" in rounded
    (weighed,) = encoder_facts(EncoderSettings.nearest(weights=1.0))
    assert "not worth their bits" in weighed
