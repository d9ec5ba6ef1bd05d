"""Readiness: from the load to the drain."""

import pytest

from cloud_server.errors import NotReadyError
from cloud_server.health import Health


def test_frames_are_welcome_from_the_load_to_the_drain() -> None:
    health = Health()
    with pytest.raises(NotReadyError, match="loaded"):
        health.require_ready()
    with pytest.raises(NotReadyError, match="loaded"):
        health.require_started()
    health.is_started = True
    health.require_ready()
    health.is_draining = True
    with pytest.raises(NotReadyError, match="draining"):
        health.require_ready()
    health.require_started()


def test_a_process_that_drains_before_it_has_started_says_that_it_drains() -> None:
    with pytest.raises(NotReadyError, match="draining"):
        Health(is_draining=True).require_ready()
