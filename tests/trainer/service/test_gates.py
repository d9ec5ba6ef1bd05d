"""Every gate: what it lets through, what it refuses and by which name, and what it cannot say."""

from typing import Any

import pytest

from tests.trainer.service.examples import classes, measured, pair
from trainer.service.configuration import Gates
from trainer.service.figures import CalibrationFigures, EightBitFigures, GoldenFigures
from trainer.service.gates import (
    Gate,
    Opinion,
    Verdict,
    held,
    judged,
    lets_through,
    refused_by,
    shortage_of,
    wants_tables,
)

LIMITS = Gates()


def kept_back(**changes: Any) -> Verdict:
    """The one gate that does not let it through."""
    verdicts = judged(measured(**changes), (), LIMITS)
    (verdict,) = held(verdicts)
    assert not lets_through(verdicts)
    return verdict


def test_a_good_challenger_passes_every_gate() -> None:
    verdicts = judged(measured(), (), LIMITS)
    assert [verdict.gate for verdict in verdicts] == [*Gate]
    assert lets_through(verdicts)


def test_nothing_is_let_through_before_every_gate_was_asked() -> None:
    verdicts = judged(measured(), (), LIMITS)
    assert not lets_through(())
    for missing in range(len(verdicts)):
        assert not lets_through(verdicts[:missing] + verdicts[missing + 1 :])


@pytest.mark.parametrize(
    ("changes", "gate", "opinion", "words"),
    [
        ({"holdout": pair(low=-0.0201)}, Gate.HOLDOUT, Opinion.REFUSE, "reaches below -2"),
        ({"recent": pair(n=400, low=-0.0101)}, Gate.RECENT, Opinion.REFUSE, "on recent uploads"),
        ({"recent": pair(n=99)}, Gate.RECENT, Opinion.UNKNOWN, "99 recent labelled uploads were held out, of 100"),
        ({"recent": None}, Gate.RECENT, Opinion.UNKNOWN, "0 recent labelled uploads"),
        ({"holdout": pair(challenger_bytes=102.1)}, Gate.BYTES, Opinion.REFUSE, "102.1 scan bytes a frame"),
        ({"encoding_faults": ("its chroma is other",)}, Gate.ENCODERS, Opinion.REFUSE, "its chroma is other"),
        (
            {"int8": EightBitFigures(right=988, float_right=991, n=1000)},
            Gate.INT8,
            Opinion.REFUSE,
            "in eight bits 988 of 1000 right, in float32 991",
        ),
        ({"golden": GoldenFigures(n=32, rows=16, worst=2e-3)}, Gate.GOLDEN, Opinion.REFUSE, "other logits"),
        ({"golden": GoldenFigures(n=32, rows=0, worst=0.0)}, Gate.GOLDEN, Opinion.REFUSE, "other logits"),
        ({"golden": GoldenFigures(n=32, rows=9, worst=float("nan"))}, Gate.GOLDEN, Opinion.REFUSE, "other logits"),
        (
            {"calibration": CalibrationFigures(error=0.11, temperature=1.0, n=9)},
            Gate.CALIBRATION,
            Opinion.REFUSE,
            "11.0% off on average",
        ),
        (
            {"calibration": CalibrationFigures(error=0.01, temperature=6.0, n=9)},
            Gate.CALIBRATION,
            Opinion.REFUSE,
            "divided by 6.00; 0.2 to 5 is allowed",
        ),
    ],
)
def test_each_gate_keeps_back_what_it_is_there_for(
    changes: dict[str, Any], gate: Gate, opinion: Opinion, words: str
) -> None:
    verdict = kept_back(**changes)
    assert (verdict.gate, verdict.opinion) == (gate, opinion)
    assert words in verdict.words


@pytest.mark.parametrize(
    "changes",
    [
        {"holdout": pair(low=-0.02)},
        {"recent": pair(n=100, low=-0.01)},
        {"holdout": pair(challenger_bytes=102.0)},
        {"int8": EightBitFigures(right=989, float_right=991, n=1000)},
        {"int8": EightBitFigures(right=63, float_right=64, n=64)},
        {"calibration": CalibrationFigures(error=0.1, temperature=5.0, n=9)},
    ],
    ids=["holdout", "recent", "bytes", "int8", "one frame of a few", "calibration"],
)
def test_what_is_just_within_a_limit_passes(changes: dict[str, Any]) -> None:
    assert lets_through(judged(measured(**changes), (), LIMITS))


def test_a_challenger_that_is_better_on_the_whole_but_loses_a_class_is_refused_by_the_classes_name() -> None:
    better = pair(gain=0.1, low=0.05, high=0.15, classes=classes((30, 48), (40, 34), (20, 45)))
    verdict = kept_back(holdout=better)
    assert (verdict.gate, verdict.opinion) == (Gate.CLASSES, Opinion.REFUSE)
    assert verdict.words == "it loses 'b': 34 of 50 right, 40 before ([families.NAME.gates] class_loss)"


def test_a_class_may_be_lost_on_recent_uploads_too() -> None:
    recent = pair(name="recent", n=400, low=0.0, classes=classes((40, 20)))
    assert kept_back(recent=recent).words.startswith("it loses 'a': 20 of 50 right, 40 before")


def test_a_loss_of_few_frames_may_be_chance_and_a_class_of_few_frames_cannot_be_judged() -> None:
    assert lets_through(judged(measured(holdout=pair(classes=classes((20, 16), n=20))), (), LIMITS))
    verdict = kept_back(holdout=pair(classes=classes((5, 5), n=9)))
    assert (verdict.gate, verdict.opinion) == (Gate.CLASSES, Opinion.UNKNOWN)
    assert "'a' (9)" in verdict.words
    assert kept_back(holdout=pair(classes=())).opinion is Opinion.UNKNOWN
    assert verdict.words == shortage_of({"a": 9}, LIMITS.class_frames)


def test_a_class_with_too_few_frames_is_known_before_anything_is_trained() -> None:
    assert shortage_of({"a": 10, "b": 12}, 10) == ""
    words = shortage_of({"a": 10, "0": 9}, 10)
    assert words == "too few frames of the holdout show '0' (9): 10 are wanted ([families.NAME.gates] class_frames)"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"holdout": pair(low=-0.5)}, "holdout_loss"),
        ({"recent": pair(n=400, low=-0.5)}, "recent_loss"),
        ({"recent": None}, "recent_frames"),
        ({"holdout": pair(challenger_bytes=150.0)}, "bytes_over"),
        ({"int8": EightBitFigures(right=900, float_right=991, n=1000)}, "int8_loss"),
        ({"calibration": CalibrationFigures(error=0.2, temperature=1.0, n=9)}, "calibration_error"),
        ({"calibration": CalibrationFigures(error=0.0, temperature=6.0, n=9)}, "temperature_low, temperature_high"),
    ],
)
def test_what_keeps_a_challenger_back_names_the_key_of_its_limit(changes: dict[str, Any], key: str) -> None:
    assert f"([families.NAME.gates] {key})" in kept_back(**changes).words
    assert set(key.split(", ")) <= set(Gates.model_fields)


def test_of_many_lost_classes_the_worst_are_named_and_the_rest_counted() -> None:
    lost = classes(*((40, 30 - place) for place in range(8)))
    words = kept_back(holdout=pair(classes=lost)).words
    assert words.startswith("it loses 'h': 23 of 50 right")
    assert "; and 3 more (" in words


def test_devices_whose_labels_were_set_aside_are_named() -> None:
    verdict = judged(measured(), ("k3vq7x2a",), LIMITS)[0]
    assert (verdict.opinion, verdict.words) == (Opinion.PASS, "labels of k3vq7x2a were set aside")
    assert refused_by(Gate.DATA, "too many").opinion is Opinion.REFUSE


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, False),
        ({"holdout": pair(low=-0.5)}, True),
        ({"holdout": pair(challenger_bytes=150.0)}, True),
        ({"recent": pair(n=400, low=0.0, champion_bytes=102.1)}, True),
        ({"recent": None, "holdout": pair(low=-0.5)}, False),
        ({"encoding_faults": ("size",)}, False),
        ({"holdout": pair(low=-0.5), "golden": GoldenFigures(n=1, rows=1, worst=1.0)}, False),
    ],
    ids=[
        "all is well",
        "accuracy",
        "bytes",
        "bytes in the field",
        "unknown",
        "another fault",
        "accuracy and another fault",
    ],
)
def test_tables_are_learned_anew_where_bytes_or_accuracy_ask_for_it_and_nothing_else_is_wrong(
    changes: dict[str, Any], wanted: bool
) -> None:
    found = measured(**changes)
    assert wants_tables(judged(found, (), LIMITS), found, LIMITS) is wanted
