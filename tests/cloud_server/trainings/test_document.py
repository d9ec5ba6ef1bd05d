"""A document of a training says what its outcome says, and no more than is shown."""

from typing import Any

import pytest
from pydantic import ValidationError

from cloud_server.trainings.document import (
    AHEAD_MAX_SECONDS,
    DOCUMENT_MAX_BYTES,
    Opinion,
    RunDocument,
    require_consistent,
)
from cloud_server.trainings.standing import Outcome
from shared.errors import PeerError

NOW = 1_800_000_000.0
HOLDS = {"gate": "accuracy", "opinion": "pass", "words": "It is better by 1.2 points."}
REFUSES = {"gate": "per-class", "opinion": "refuse", "words": "It has lost the class seven."}
UNKNOWN = {"gate": "int8", "opinion": "unknown", "words": "No INT8 twin was made."}


def document(**members: Any) -> RunDocument:
    """A document as it comes."""
    return RunDocument.model_validate(members)


@pytest.mark.parametrize("outcome", [Outcome.PUBLISHED, Outcome.DRAFT])
@pytest.mark.parametrize("held", [REFUSES, UNKNOWN], ids=["refused", "unknown"])
def test_nothing_is_published_that_a_gate_did_not_let_through(outcome: Outcome, held: dict[str, str]) -> None:
    with pytest.raises(PeerError, match=held["gate"]):
        require_consistent(outcome, document(verdicts=[HOLDS, held], counter=3), NOW)
    with pytest.raises(PeerError, match="because of its gates"):
        require_consistent(outcome, document(counter=3), NOW)
    require_consistent(outcome, document(verdicts=[HOLDS], counter=3), NOW)


def test_what_is_published_has_a_number_and_what_is_refused_a_gate_that_did_so() -> None:
    with pytest.raises(PeerError, match=r"document\.counter"):
        require_consistent(Outcome.PUBLISHED, document(verdicts=[HOLDS]), NOW)
    with pytest.raises(PeerError, match=r"document\.verdicts"):
        require_consistent(Outcome.REFUSED, document(verdicts=[HOLDS]), NOW)
    require_consistent(Outcome.REFUSED, document(verdicts=[HOLDS, REFUSES]), NOW)
    with pytest.raises(PeerError, match=r"document\.reason"):
        require_consistent(Outcome.FAILED, document(), NOW)
    require_consistent(Outcome.FAILED, document(reason="no space is left"), NOW)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DRAFT])
def test_nobody_has_pulled_data_of_the_future(outcome: Outcome) -> None:
    said = {"verdicts": [HOLDS], "counter": 3, "reason": "no space is left"}
    for known in (0.0, NOW, NOW + AHEAD_MAX_SECONDS):
        require_consistent(outcome, document(**said, data_until=known), NOW)
    with pytest.raises(PeerError, match=r"document\.data_until: 1800000301 has not come yet"):
        require_consistent(outcome, document(**said, data_until=NOW + AHEAD_MAX_SECONDS + 1), NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdicts": [HOLDS | {"opinion": "maybe"}]},
        {"verdicts": [HOLDS | {"gate": "Not a name"}]},
        {"verdicts": [HOLDS] * 33},
        {"figures": [{"name": "accuracy", "unit": "share", "value": float("inf")}]},
        {"sources": {"base": -1}},
        {"data_digest": "ff"},
        {"reason": "x" * 1001},
        {"surprise": 1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_a_document_may_not_hold_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        document(**wrong)


def test_a_document_is_read_as_it_was_stored() -> None:
    whole = document(
        reason="refused by one gate",
        parent="digits/1",
        data_digest="0" * 64,
        data_until=1.5,
        sources={"base": 5000, "uploads": 900},
        set_aside=[{"device": "k3v9x2mq", "why": "a third of its labels contradict the others"}],
        verdicts=[HOLDS, REFUSES],
        figures=[{"name": "accuracy", "unit": "share", "value": 0.75, "low": 0.5, "high": 0.875, "n": 1000}],
        steps={"train": 10.5},
        cost={"wall_seconds": 12.5, "cpu_seconds": 20, "peak_memory_bytes": 1 << 30},
        commands=["dctwire trust sign list.json --keys THEIRS"],
    )
    assert RunDocument.read(whole.model_dump_json()) == whole
    assert [each.opinion for each in whole.verdicts] == [Opinion.PASS, Opinion.REFUSE]
    assert len(whole.model_dump_json()) < DOCUMENT_MAX_BYTES
