"""How much a frame matters."""

from sensor_client.policies import Reason, priority_of
from sensor_client.spool import Priority

RARE = frozenset({"stop"})


def test_what_somebody_asked_for_goes_before_what_is_rare_and_this_before_what_changed() -> None:
    assert priority_of(is_requested=True, label="stop", rare_labels=RARE, reason=Reason.CHANGE) is Priority.REQUESTED
    assert priority_of(is_requested=False, label="stop", rare_labels=RARE, reason=Reason.CHANGE) is Priority.RARE
    assert priority_of(is_requested=False, label="go", rare_labels=RARE, reason=Reason.CHANGE) is Priority.CHANGE
    assert priority_of(is_requested=False, label=None, rare_labels=RARE, reason=Reason.STILL) is Priority.CHANGE


def test_first_pictures_and_those_that_only_say_that_the_camera_lives_are_ordinary() -> None:
    for reason in (None, Reason.FIRST, Reason.KEEP_ALIVE):
        found = priority_of(is_requested=False, label=None, rare_labels=frozenset(), reason=reason)
        assert found is Priority.ORDINARY
