"""Messages of enrolment: what a device may send to join, and what it may get."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.wire import Assignment, Enrolment, EnrolmentRequest

JOINING = {"claim_code": "3TJK-FZX8-SGB4", "secret": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"}
KNOWN: dict[str, Any] = {"device_id": "2cvxpk4z", "family": "digits", "voucher": "v" * 43}


def test_a_new_device_sends_nothing_that_an_older_server_refuses() -> None:
    assert EnrolmentRequest.model_validate(JOINING).model_dump() == JOINING


def test_a_device_that_joined_before_says_who_it_was() -> None:
    wanted = EnrolmentRequest.model_validate(JOINING | KNOWN)
    assert EnrolmentRequest.model_validate_json(wanted.model_dump_json()) == wanted
    assert wanted.voucher == "v" * 43


@pytest.mark.parametrize("missing", KNOWN)
def test_who_a_device_was_comes_whole_or_not_at_all(missing: str) -> None:
    with pytest.raises(ValidationError, match="come together"):
        EnrolmentRequest.model_validate(JOINING | {key: value for key, value in KNOWN.items() if key != missing})


def test_secrets_and_vouchers_are_in_no_representation() -> None:
    enrolment = Enrolment(device_id="2cvxpk4z", token="t" * 22, family="digits", voucher="v" * 43)
    assert "vvv" not in repr(enrolment) + repr(EnrolmentRequest.model_validate(JOINING | KNOWN))
    assert Enrolment.model_validate({"device_id": "2cvxpk4z", "token": "t" * 22, "family": "digits"}).voucher is None


@pytest.mark.parametrize(
    "changed", [{"seq": 0}, {"seq": 2**63}, {"seq": 10**400}, {"target": "x" * 129}, {"family": "f" * 129}]
)
def test_an_assignment_that_no_server_gives_is_none(changed: dict[str, Any]) -> None:
    genuine = {"seq": 2**63 - 1, "family": "signs", "counter": 1, "target": "signs/1.json"}
    Assignment.model_validate(genuine)

    with pytest.raises(ValidationError):
        Assignment.model_validate(genuine | changed)
