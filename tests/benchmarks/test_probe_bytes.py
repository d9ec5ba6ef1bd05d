"""What probes add follows from what two runs exchanged, by arithmetic that can be checked by hand."""

from benchmarks.probe_bytes import FRAMES, Exchanged, figures


def test_more_bytes_are_divided_among_the_probes_and_set_against_two_hundred_frames() -> None:
    single = Exchanged(400 * FRAMES, 0), Exchanged(400 * FRAMES + 30 * 500, 30)
    batched = Exchanged(100 * 4 * FRAMES, 0), Exchanged(100 * 4 * FRAMES + 25 * 120, 25)
    assert figures({"single": single, "batch32": batched}) == {
        "frame_bytes_single": 400,
        "probe_bytes_single": 500,
        "added_percent_single": 0.625,
        "frame_bytes_batch32": 100,
        "probe_bytes_batch32": 120,
        "added_percent_batch32": 0.6,
        "added_percent_batch32_alone": 2.5,
    }
