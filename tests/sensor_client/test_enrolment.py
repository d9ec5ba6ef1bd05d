"""Enrolling: once, whole, or not at all."""

from pathlib import Path

import pytest

from sensor_client.enrolment import enrol, enrol_again
from sensor_client.state_directory import Identity, StateDirectory, StateError
from shared.errors import ChannelError, RefusedError
from shared.wire import Enrolment
from tests.sensor_client.device_plane import CLAIM, DEVICE_ID, SECRET, TOKEN, VOUCHER

ROOT, OTHER_ROOT = b'{"signed": 1}', b'{"signed": 2}'
ENROLMENT = Enrolment(device_id="dev1", token=TOKEN, family="signs")


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "device")


def refuse_to_ask() -> Enrolment:
    raise AssertionError("the claim code would be spent")


def test_a_device_enrols_and_keeps_what_it_was_given(state: StateDirectory) -> None:
    outcome = enrol(state, "http://host:8000", ROOT, lambda: ENROLMENT)

    assert outcome.is_new and state.identity() == outcome.identity
    assert outcome.identity.enrolment == ENROLMENT and state.root() == ROOT


def test_enrolling_again_spends_no_claim_code(state: StateDirectory) -> None:
    first = enrol(state, "http://host:8000", ROOT, lambda: ENROLMENT)

    again = enrol(state, "http://host:8000", ROOT, refuse_to_ask)

    assert not again.is_new and again.identity == first.identity


@pytest.mark.parametrize("error", [RefusedError(401, "invalid-claim", "used"), ChannelError("no line")])
def test_a_failed_enrolment_leaves_a_device_that_can_try_again(state: StateDirectory, error: Exception) -> None:
    def fail() -> Enrolment:
        raise error

    with pytest.raises(type(error)):
        enrol(state, "http://host:8000", ROOT, fail)

    assert state.identity() is None
    assert enrol(state, "http://host:8000", OTHER_ROOT, lambda: ENROLMENT).is_new
    assert state.root() == OTHER_ROOT


def test_another_server_or_root_wants_another_directory(state: StateDirectory) -> None:
    enrol(state, "http://host:8000", ROOT, lambda: ENROLMENT)

    with pytest.raises(StateError, match="another --state"):
        enrol(state, "http://other:8000", ROOT, refuse_to_ask)
    with pytest.raises(StateError, match="another root"):
        enrol(state, "http://host:8000", OTHER_ROOT, refuse_to_ask)


def test_no_claim_code_is_spent_on_a_directory_in_use(state: StateDirectory) -> None:
    state.make()

    with state.claimed(), pytest.raises(StateError, match="another dctwire-sensor"):
        enrol(state, "http://host:8000", ROOT, refuse_to_ask)


KNOWN = Enrolment(device_id=DEVICE_ID, token=TOKEN, family="signs", voucher=VOUCHER)
IDENTITY = Identity(server_url="http://host:8000", enrolment=KNOWN, claim_code=CLAIM, secret=SECRET)


@pytest.mark.parametrize("forged", [{"device_id": "zzzzzzzz"}, {"family": "other"}])
def test_an_enrolled_device_stays_who_it_is(forged: dict[str, str]) -> None:
    with pytest.raises(ChannelError, match="for good"):
        enrol_again(IDENTITY, lambda _: KNOWN.model_copy(update=forged))


def test_a_new_voucher_does_not_replace_the_first_one() -> None:
    other = "A" * 43
    again = enrol_again(IDENTITY, lambda _: KNOWN.model_copy(update={"voucher": other}))
    assert again == IDENTITY
    without = IDENTITY.model_copy(update={"enrolment": KNOWN.model_copy(update={"voucher": None})})
    assert enrol_again(without, lambda _: KNOWN) == IDENTITY
