"""Labels to server."""

from pathlib import Path

import pytest

from sensor_client.device_channel import DeviceChannel
from sensor_client.label_reporter import IDLE_SECONDS, LabelReporter
from sensor_client.signals import Signals
from sensor_client.spool import Spool, SpoolLimits
from shared.errors import ChannelError
from shared.wire import ProblemCode
from tests.sensor_client.device_plane import Answer, DevicePlane, problem, refusal
from tests.sensor_client.fakes import FakeClock

LABEL_OF_2 = "/v1/frames/dev1.2/label"


@pytest.fixture
def reporter(spool: Spool, channel: DeviceChannel, clock: FakeClock, signals: Signals) -> LabelReporter:
    return LabelReporter(spool=spool, channel=channel, clock=clock, random=lambda: 0.5, signals=signals)


def acknowledged(spool: Spool, plane: DevicePlane, count: int) -> list[int]:
    """Labels of frames that the server has."""
    sequences = [spool.append(b"jpeg", 0, label="stop") for _ in range(count)]
    spool.acknowledge(sequences)
    plane.frames = dict.fromkeys(sequences, b"jpeg")
    return sequences


def test_labels_of_acknowledged_frames_are_told_once(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter, signals: Signals
) -> None:
    sequences = acknowledged(spool, plane, 2)
    spool.append(b"jpeg", 0, label="not acknowledged")

    assert reporter.step() and not reporter.step()

    assert plane.labels == {sequence: {"label": "stop", "source": "audit"} for sequence in sequences}
    assert spool.counters().labels_sent == 2
    assert signals.frames_waiting.is_set(), "the uploader looks whether all is delivered"


def test_labels_told_before_a_line_broke_are_not_told_again(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter
) -> None:
    sequences = acknowledged(spool, plane, 3)
    plane.scripted.append((LABEL_OF_2, problem(ProblemCode.NOT_READY)))

    with pytest.raises(ChannelError):
        reporter.step()
    reporter.step()

    assert len(plane.asked("/v1/frames/dev1.1/label")) == 1
    assert sorted(plane.labels) == sequences and spool.counters().labels_sent == 3


def test_a_label_survives_a_broken_line_and_a_restart(
    tmp_path: Path, spool: Spool, plane: DevicePlane, reporter: LabelReporter
) -> None:
    acknowledged(spool, plane, 2)
    plane.scripted.append(("/v1/frames/dev1.1/label", problem(ProblemCode.NOT_READY)))
    with pytest.raises(ChannelError):
        reporter.step()
    spool.close()

    again = Spool(tmp_path / "spool.sqlite3", SpoolLimits())

    assert again.depth().labels == 2
    again.close()


def test_a_refused_label_is_counted_and_not_told_again(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter
) -> None:
    acknowledged(spool, plane, 2)
    plane.scripted.append((LABEL_OF_2, refusal(ProblemCode.BAD_REQUEST, 2)))

    reporter.step()

    assert (spool.counters().labels_sent, spool.counters().labels_refused) == (1, 1)
    assert spool.depth().labels == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"),
        Answer(302, {"Location": "http://portal.example/"}),
        Answer(511),
        Answer(204, {"DW-Answered": "dev1.1"}),
        Answer(204, {"DW-Answered": "dev2.2"}),
        Answer(204, {"DW-Answered": "dev1.2 refused"}),
        problem(ProblemCode.NOT_FOUND),
        problem(ProblemCode.BAD_REQUEST, DW_Answered="dev1.2"),
        problem(ProblemCode.BAD_REQUEST, DW_Answered="dev2.2 refused"),
        refusal(ProblemCode.NOT_FOUND, 1),
    ],
)
def test_no_label_leaves_on_an_answer_that_does_not_name_its_frame(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter, answer: Answer
) -> None:
    acknowledged(spool, plane, 2)
    plane.scripted.append((LABEL_OF_2, answer))

    with pytest.raises(ChannelError):
        reporter.step()

    assert spool.depth().labels == 1


def test_a_reporter_goes_on_after_a_broken_line_and_sleeps_when_all_is_told(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter, clock: FakeClock, signals: Signals
) -> None:
    acknowledged(spool, plane, 2)
    plane.scripted += [(LABEL_OF_2, problem(ProblemCode.NOT_READY))] * 2
    clock.on_wait = lambda seconds: signals.request_stop() if seconds > 60 else None

    reporter.run()

    assert sorted(plane.labels) == [1, 2] and clock.waits == [0.25, 0.5, 3600.0]


def test_a_label_over_which_the_server_fails_each_time_holds_no_other_up_and_is_tried_again(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter, clock: FakeClock, signals: Signals
) -> None:
    sequences = acknowledged(spool, plane, 5)
    plane.scripted += [(LABEL_OF_2, problem(ProblemCode.TIMED_OUT))] * 7
    clock.on_wait = lambda seconds: signals.request_stop() if len(plane.labels) == 5 else None

    reporter.run()

    assert set(plane.labels) == set(sequences) and list(plane.labels)[-1] == 2
    assert spool.depth().labels == 0 and clock.elapsed_seconds < 1000.0 + 600.0 + IDLE_SECONDS


def test_labels_that_a_busy_server_puts_off_are_told_in_their_order(
    spool: Spool, plane: DevicePlane, reporter: LabelReporter, clock: FakeClock, signals: Signals
) -> None:
    sequences = acknowledged(spool, plane, 3)
    plane.scripted += [("/v1/frames/dev1.1/label", problem(ProblemCode.NOT_READY))] * 12
    clock.on_wait = lambda seconds: signals.request_stop() if len(plane.labels) == 3 else None

    reporter.run()

    assert list(plane.labels) == sequences
