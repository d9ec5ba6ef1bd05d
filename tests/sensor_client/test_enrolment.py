"""Enrolling: once, whole, or not at all."""

from pathlib import Path

import pytest

from sensor_client.enrolment import enrol
from sensor_client.state_directory import StateDirectory, StateError
from shared.errors import ChannelError, RefusedError
from shared.wire import Enrolment
from tests.sensor_client.device_plane import TOKEN

ENROLMENT = Enrolment(device_id="dev1", token=TOKEN, family="signs")


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    return StateDirectory(tmp_path / "device")


def refuse_to_ask() -> Enrolment:
    raise AssertionError("the claim code would be spent")


def test_a_device_enrols_and_keeps_what_it_was_given(state: StateDirectory) -> None:
    outcome = enrol(state, "http://host:8000", b"root", lambda: ENROLMENT)

    assert outcome.is_new and state.identity() == outcome.identity
    assert outcome.identity.enrolment == ENROLMENT and state.root() == b"root"


def test_enrolling_again_spends_no_claim_code(state: StateDirectory) -> None:
    first = enrol(state, "http://host:8000", b"root", lambda: ENROLMENT)

    again = enrol(state, "http://host:8000", b"root", refuse_to_ask)

    assert not again.is_new and again.identity == first.identity


@pytest.mark.parametrize("error", [RefusedError(401, "invalid-claim", "used"), ChannelError("no line")])
def test_a_failed_enrolment_leaves_a_device_that_can_try_again(state: StateDirectory, error: Exception) -> None:
    def fail() -> Enrolment:
        raise error

    with pytest.raises(type(error)):
        enrol(state, "http://host:8000", b"root", fail)

    assert state.identity() is None
    assert enrol(state, "http://host:8000", b"other root", lambda: ENROLMENT).is_new
    assert state.root() == b"other root"


def test_another_server_or_root_wants_another_directory(state: StateDirectory) -> None:
    enrol(state, "http://host:8000", b"root", lambda: ENROLMENT)

    with pytest.raises(StateError, match="another --state"):
        enrol(state, "http://other:8000", b"root", refuse_to_ask)
    with pytest.raises(StateError, match="another root"):
        enrol(state, "http://host:8000", b"other root", refuse_to_ask)


def test_no_claim_code_is_spent_on_a_directory_in_use(state: StateDirectory) -> None:
    state.make()

    with state.claimed(), pytest.raises(StateError, match="another dctwire-sensor"):
        enrol(state, "http://host:8000", b"root", refuse_to_ask)
