"""The sequential test: seldom wrong on frames like the reference, soon right on others; river's detectors agree."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift as river

from cloud_server.quality.reference_bins import ReferenceBins
from cloud_server.quality.sequential import BLOCK_FRAMES, LEAST_SHARE, Alarm, Detector
from shared.bundle import Drift, Histogram
from shared.bundle.signals import Signal, Signals
from tests.cloud_server.quality.streams import drift_of, frames, reference

LABELS = list(Signal).index(Signal.LABELS)
FIRST = next(iter(Signal)).value
ORDINARY = drift_of(frames(np.random.default_rng(1), 5_000))


def delay(signals: Signals, known: ReferenceBins, undisturbed: Signals) -> int | None:
    """How many frames after the change the first alarm came; None: none came. Before it there must be none."""
    detector = Detector(known)
    assert detector.take(known.place(undisturbed)) == []
    alarms = detector.take(known.place(signals))
    return min((alarm.row + 1 for alarm in alarms), default=None)


@pytest.fixture(scope="module")
def known() -> ReferenceBins:
    return reference(np.random.default_rng(1))


@pytest.mark.parametrize(
    ("shift", "spread", "labels", "at_most"),
    [
        (0.5, 1.0, 10, 200),
        (-0.5, 1.0, 10, 200),
        (3.0, 1.0, 10, 12),
        (0.0, 1.5, 10, 200),
        (0.0, 0.6, 10, 200),
        (0.0, 1.0, 5, 250),
        (0.0, 1.0, 1, 60),
    ],
)
def test_a_change_is_found_within_so_many_frames(
    known: ReferenceBins, shift: float, spread: float, labels: int, at_most: int
) -> None:
    rng = np.random.default_rng(2)
    found = delay(frames(rng, 2_000, shift, spread, labels), known, frames(rng, 1_024))
    assert found is not None
    assert found <= at_most


def test_a_change_to_a_shape_that_no_fixed_bet_is_on_is_found(known: ReferenceBins) -> None:
    """Every second bin is empty: neither higher nor lower, wider nor narrower."""
    rng = np.random.default_rng(2)
    bins = known.place(frames(rng, 4_000))
    odd = Detector(known).take(bins - bins % 2)
    assert odd
    assert min(alarm.row for alarm in odd) < 500


def test_the_alarm_is_of_the_signal_that_changed(known: ReferenceBins) -> None:
    rng = np.random.default_rng(2)
    changed = frames(rng, 500)
    changed[:, 3] += 2
    alarms = Detector(known).take(known.place(changed))
    assert {alarm.signal for alarm in alarms} == {3}


def test_a_change_that_lasts_raises_an_alarm_again_and_again(known: ReferenceBins) -> None:
    alarms = Detector(known).take(known.place(frames(np.random.default_rng(2), 1_000, shift=2)))
    rows = [alarm.row for alarm in alarms if alarm.signal == 0]
    assert len(rows) > 10


@pytest.mark.parametrize("held_out", [300, 5_000])
def test_false_alarms_are_no_more_than_promised_though_the_reference_is_a_sample(held_out: int) -> None:
    """Of several references, each with a stream of its own."""
    rng, promised, streams, length = np.random.default_rng(3), 300.0, 12, 6_000
    alarms = 0
    for _ in range(streams):
        drawn = reference(rng, held_out)
        alarms += len(Detector(drawn, promised).take(drawn.place(frames(rng, length))))
    assert alarms <= streams * length / promised


def test_signals_that_say_the_same_raise_no_more_false_alarms() -> None:
    rng, promised = np.random.default_rng(3), 300.0
    drawn = frames(rng, 100_000)
    drawn[:, :LABELS] = drawn[:, :1]
    known = ReferenceBins.of(drift_of(drawn))
    later = frames(rng, 60_000)
    later[:, :LABELS] = later[:, :1]
    alarms = Detector(known, promised).take(known.place(later))
    assert 0 < len(alarms) <= len(later) / promised


def test_the_first_alarm_of_frames_like_the_reference_takes_as_long_as_promised() -> None:
    """The mean over many streams, with a threshold that is reached soon; the promise is a bound, so it takes longer."""
    rng, promised = np.random.default_rng(3), 50.0
    known = reference(rng, 100_000)
    waited = [_first(Detector(known, promised), known, rng) for _ in range(200)]
    assert np.mean(waited) > promised


def _first(detector: Detector, known: ReferenceBins, rng: np.random.Generator) -> int:
    seen = 0
    while True:
        alarms = detector.take(known.place(frames(rng, BLOCK_FRAMES)))
        if alarms:
            return seen + min(alarm.row for alarm in alarms) + 1
        seen += BLOCK_FRAMES


def test_a_reference_of_few_frames_bets_on_less() -> None:
    rng = np.random.default_rng(1)
    rich, poor = reference(rng, 5_000), reference(rng, 200)
    slight = frames(rng, 3_000, shift=0.3)
    assert Detector(rich).take(rich.place(slight))
    strong = frames(rng, 3_000, shift=3)
    assert Detector(poor).take(poor.place(strong))


def with_odd(odd: Histogram, held_out: int = 5_000) -> ReferenceBins:
    """A reference whose first signal has that histogram, and the others ordinary ones."""
    return ReferenceBins.of(Drift(n=held_out, signals=dict(ORDINARY.signals) | {FIRST: odd}))


@pytest.mark.parametrize("shares", [(1.0, 0.0), (0.0, 1.0), (0.9999, 0.0001), (0.99, 0.01), (0.0, 1.0, 0.0)])
def test_a_signal_with_an_empty_or_a_rare_bin_hides_no_change_of_its_own_or_of_others(
    shares: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(2)
    odd = Histogram(edges=tuple(100.0 * at for at in range(1, len(shares))), shares=shares)
    known = with_odd(odd)
    detector, usual = Detector(known), int(np.argmax(shares))
    undisturbed, changed = known.place(frames(rng, 4_096)), known.place(frames(rng, 200, shift=3))
    undisturbed[:, 0] = rng.choice(len(shares), len(undisturbed), p=shares)
    changed[:, 0] = (usual + 1) % len(shares)
    assert detector.take(undisturbed) == []
    assert {alarm.signal for alarm in detector.take(changed)} >= set(range(LABELS))


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    """Any that a reference may hold, most with empty and very rare bins."""
    parts = draw(st.lists(st.sampled_from([0.0, 1e-300, 1e-12, 1e-6, 0.01, 1.0]), min_size=2, max_size=64))
    parts[draw(st.integers(0, len(parts) - 1))] = 1.0
    total = sum(parts)
    return Histogram(edges=tuple(map(float, range(1, len(parts)))), shares=tuple(part / total for part in parts))


@settings(deadline=None, max_examples=50)
@given(odd=histograms(), held_out=st.sampled_from([1_000, 5_000, 2**31 - 1]), places=st.randoms(use_true_random=False))
def test_whatever_a_signal_of_the_reference_looks_like_the_others_are_watched(
    odd: Histogram, held_out: int, places: Any
) -> None:
    rng = np.random.default_rng(places.getrandbits(32))
    known = with_odd(odd, held_out)
    detector = Detector(known)
    for found in (frames(rng, 160), frames(rng, 160, shift=3)):
        bins = known.place(found)
        bins[:, 0] = rng.integers(0, rng.integers(1, len(odd.shares) + 1), len(bins))
        alarms = detector.take(bins)
        assert np.isfinite(detector._holdings).all()
        assert np.isfinite(detector._pays).all()
        assert detector._pays.max() <= 1 / LEAST_SHARE
    assert {alarm.signal for alarm in alarms} >= set(range(1, LABELS))


def test_what_bets_pay_for_a_bin_that_no_held_out_frame_was_in_is_bounded() -> None:
    """As if five of the held-out frames had been: what is so rare may be as likely by chance."""
    known = with_odd(Histogram(edges=(100.0,), shares=(1.0, 0.0)), 500)
    detector = Detector(known)
    rare = np.full((40 * BLOCK_FRAMES, len(known.signals)), 0)
    rare[:, 0] = 1
    detector.take(rare)
    assert detector._pays[detector._signal_of == 0, 1].max() <= 500 / 5


def test_blocks_in_parts_end_like_blocks_at_once(known: ReferenceBins) -> None:
    rows = known.place(frames(np.random.default_rng(2), 40 * BLOCK_FRAMES, shift=0.4))
    whole, parts = Detector(known), Detector(known)
    in_parts = [
        Alarm(alarm.signal, start + alarm.row)
        for start in range(0, len(rows), 4 * BLOCK_FRAMES)
        for alarm in parts.take(rows[start : start + 4 * BLOCK_FRAMES])
    ]
    assert whole.take(rows) == in_parts
    assert in_parts


def test_frames_one_by_one_find_the_same_changes(known: ReferenceBins) -> None:
    rng = np.random.default_rng(2)
    undisturbed, changed = known.place(frames(rng, 500)), known.place(frames(rng, 200, shift=2))
    detector = Detector(known)
    assert not any(detector.take(row[None]) for row in undisturbed)
    assert any(detector.take(row[None]) for row in changed)


@pytest.mark.parametrize("oracle", ["ADWIN", "PageHinkley", "KSWIN"])
@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_rivers_detectors_find_what_this_one_finds(known: ReferenceBins, oracle: str, shift: float) -> None:
    """In kind: a change or none in 300 frames of one signal; delays differ, and KSWIN errs more often by design."""
    rng = np.random.default_rng(5)
    before, after = frames(rng, 1_000), frames(rng, 300, shift)
    ours = delay(after, known, before)
    theirs = _river_delay(getattr(river, oracle)(), before[:, 0], after[:, 0])
    if shift:
        assert ours is not None
        assert theirs is not None
    else:
        assert ours is None
        assert theirs is None or oracle == "KSWIN"


def _river_delay(detector: Any, before: np.ndarray, after: np.ndarray) -> int | None:
    for value in before.tolist():
        detector.update(value)
    for at, value in enumerate(after.tolist(), start=1):
        detector.update(value)
        if detector.drift_detected:
            return at
    return None
