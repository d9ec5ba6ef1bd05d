"""The watch over one version: a drift begins once, lasts, and ends when frames are as they were."""

import numpy as np
import pytest

from cloud_server.quality.reference_bins import ReferenceBins
from cloud_server.quality.watch import QUIET_FRAMES, Change, Watch
from shared.bundle.signals import Signal, Signals
from tests.cloud_server.quality.streams import frames, reference

RNG = np.random.default_rng(7)
AT = list(Signal).index(Signal.ZEROS)


@pytest.fixture(scope="module")
def known() -> ReferenceBins:
    return reference(np.random.default_rng(1))


def changed(count: int) -> Signals:
    """Frames of which one signal is higher."""
    found = frames(RNG, count)
    found[:, AT] += 1.5
    return found


def taken(watch: Watch, found: Signals, at: float) -> list[Change]:
    """What a watch tells of frames that come some at a time."""
    return [change for start in range(0, len(found), 50) for change in watch.take(found[start : start + 50], at)]


def test_a_drift_that_lasts_begins_once(known: ReferenceBins) -> None:
    watch = Watch(known)
    assert taken(watch, frames(RNG, 1_000), 1.0) == []
    [began] = taken(watch, changed(6_000), 2.0)
    assert (began.signal, began.has_begun, began.at) == (Signal.ZEROS, True, 2.0)
    state = watch.states()[AT]
    assert (state.signal, state.alarms, state.since) == (Signal.ZEROS, 1, 2.0)
    assert state.score is not None
    assert state.score > 0.25
    others = [other for other in watch.states() if other.signal is not Signal.ZEROS]
    assert all((other.alarms, other.since) == (0, None) for other in others)


def test_it_ends_once_enough_frames_are_as_they_were_and_can_begin_again(known: ReferenceBins) -> None:
    watch = Watch(known)
    taken(watch, changed(500), 1.0)
    assert taken(watch, frames(RNG, QUIET_FRAMES - 100), 2.0) == []
    assert watch.states()[AT].since == 1.0
    [ended] = taken(watch, frames(RNG, 200), 3.0)
    assert (ended.signal, ended.has_begun, ended.at) == (Signal.ZEROS, False, 3.0)
    assert watch.states()[AT].since is None
    [again] = taken(watch, changed(500), 4.0)
    assert again.has_begun
    assert watch.states()[AT].alarms == 2


def test_scores_wait_for_enough_frames_and_frames_are_counted(known: ReferenceBins) -> None:
    watch = Watch(known)
    watch.take(frames(RNG, 50), 1.0)
    assert watch.frames == 50
    assert {state.score for state in watch.states()} == {None}
    [began] = watch.take(changed(50), 2.0)
    assert began.score is None
