"""Labels: what classes may be called, checked alike by whoever writes labels.json and whoever takes it."""

import json

import pytest

from shared.bundle import LabelsError, check_labels, labels_from_bytes, labels_to_bytes
from shared.bundle.labels import LABEL_LIMIT_CHARACTERS, LABELS_LIMIT_BYTES
from shared.errors import PeerError
from shared.wire import LabelReport


@pytest.mark.parametrize("label", ["cat", "Zürich / HB", "猫", "x" * LABEL_LIMIT_CHARACTERS, "a\u0301", "ok, or not?"])
def test_what_may_be_a_label_comes_back_as_it_was(label: str) -> None:
    assert labels_from_bytes(labels_to_bytes([label, "dog"])) == (label, "dog")
    assert LabelReport.model_validate({"label": label, "source": "human"}).label == label


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("", "a label is empty"),
        ("x" * (LABEL_LIMIT_CHARACTERS + 1), r"'x{40}'\.\.\. has 129 characters: at most 128"),
        ("caf\udce9", r"label 'caf\\udce9' is not UTF-8 text"),
        ("a\nb", r"label 'a\\nb' has control characters"),
        ("bell\x07", r"'bell\\x07' has control"),
        ("\x1b[31mred", r"'\\x1b\[31mred' has control"),
        ("next\x85line", "control"),
        ("end\n", "control"),
    ],
)
def test_what_may_be_none_is_refused_and_shown_escaped(label: str, message: str) -> None:
    with pytest.raises(LabelsError, match=message):
        check_labels(["dog", label])
    with pytest.raises(LabelsError):
        labels_from_bytes(json.dumps(["dog", label]).encode())
    with pytest.raises(ValueError, match="label"):
        LabelReport.model_validate({"label": label, "source": "human"})


@pytest.mark.parametrize("labels", [["cat", "dog", "cat"], ["caf\u00e9", "cafe\u0301"]])
def test_two_labels_that_nobody_can_tell_apart_are_refused(labels: list[str]) -> None:
    with pytest.raises(LabelsError, match="must be there once"):
        check_labels(labels)


def test_labels_that_differ_in_case_are_two_labels() -> None:
    check_labels(["a", "A"])


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'"cat"', b"[]", b"[null]", b"\xff", b'["\\ud800"]', b'["a"'])
def test_bytes_that_are_no_list_of_labels_are_refused(data: bytes) -> None:
    with pytest.raises(LabelsError) as caught:
        labels_from_bytes(data)
    assert isinstance(caught.value, PeerError)
    assert caught.value.code == "invalid-bundle"


def test_more_labels_than_a_server_reads_are_refused() -> None:
    with pytest.raises(LabelsError, match=f"at most {LABELS_LIMIT_BYTES} bytes"):
        check_labels([f"{number:0100d}" for number in range(11_000)])
    with pytest.raises(LabelsError, match=f"at most {LABELS_LIMIT_BYTES} bytes"):
        labels_from_bytes(b" " * (LABELS_LIMIT_BYTES + 1))
