"""Expected against measured: as expected, better, worse, or honestly unknown."""

import pytest

from cloud_server.console.expectations import Comparison, Verdict, comparisons
from cloud_server.registry.measured import Measured
from cloud_server.registry.report import Accuracy, accuracy_of
from shared.bundle import Expected

EXPECTED = Expected(bytes_p50=200, bytes_p95=300, accuracy=0.7, n=10_000, data="cifar100")


def seen(scan: float | None = 200.0, audited: Accuracy | None = None, labelled: Accuracy | None = None) -> Measured:
    """What 1,000 frames show."""
    return Measured(frames=1000, scan_bytes=scan, sent_bytes=None, accuracy=labelled, audited=audited)


def of_bytes(shown: Measured | None, expected: Expected = EXPECTED) -> Comparison:
    return comparisons(expected, shown)[0]


def of_accuracy(shown: Measured | None) -> Comparison:
    return comparisons(EXPECTED, shown)[1]


@pytest.mark.parametrize(
    ("scan", "verdict", "why"),
    [
        (188.0, Verdict.BETTER, "6.0 % less"),
        (192.0, Verdict.AS_EXPECTED, "4.0 % less"),
        (208.0, Verdict.AS_EXPECTED, "4.0 % more"),
        (212.0, Verdict.WORSE, "6.0 % more"),
    ],
)
def test_bytes_are_as_expected_within_five_percent_and_fewer_are_better(
    scan: float, verdict: Verdict, why: str
) -> None:
    found = of_bytes(seen(scan))
    assert found.verdict is verdict
    assert why in found.why
    assert found.expected == "half of the frames up to 200, 95 % of them up to 300"
    assert found.measured == f"{scan:.0f} on average, over 1\u202f000 frames"


@pytest.mark.parametrize("shown", [None, seen(scan=None)])
def test_bytes_of_no_frame_are_unknown(shown: Measured | None) -> None:
    assert (of_bytes(shown).verdict, of_bytes(shown).measured) == (Verdict.UNKNOWN, "unknown")


def test_where_no_bytes_were_expected_none_are_compared() -> None:
    nothing = EXPECTED.model_copy(update={"bytes_p50": 0.0})
    assert of_bytes(seen(), nothing).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("labelled", "correct", "verdict"),
    [
        (1000, 600, Verdict.WORSE),
        (1000, 690, Verdict.AS_EXPECTED),
        (1000, 800, Verdict.BETTER),
        (1, 0, Verdict.AS_EXPECTED),
        (3, 0, Verdict.WORSE),
    ],
)
def test_accuracy_is_worse_or_better_only_where_the_whole_interval_is(
    labelled: int, correct: int, verdict: Verdict
) -> None:
    assert of_accuracy(seen(audited=accuracy_of(labelled, correct))).verdict is verdict


def test_accuracy_is_told_with_its_interval_and_how_many_audited_frames_it_is_of() -> None:
    found = of_accuracy(seen(audited=accuracy_of(1000, 690)))
    assert found.expected == "70.0 % of 10\u202f000 held-out frames of cifar100"
    assert found.measured == "69.0 % (66.1 % to 71.8 %) of 1\u202f000 audited frames"


def test_labels_of_frames_that_somebody_chose_judge_nothing_and_stand_beside() -> None:
    confirmed = accuracy_of(12, 12)
    found = of_accuracy(seen(labelled=confirmed))
    assert (found.verdict, found.measured) == (Verdict.UNKNOWN, "unknown")
    assert found.beside.endswith("of 12 labelled frames")
    found = of_accuracy(seen(audited=accuracy_of(1000, 600), labelled=confirmed))
    assert found.verdict is Verdict.WORSE
    assert found.beside.startswith("100.0 %")


def test_accuracy_without_labels_is_unknown() -> None:
    assert (of_accuracy(seen()).verdict, of_accuracy(None).measured) == (Verdict.UNKNOWN, "unknown")
