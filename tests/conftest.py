"""What holds for every test: one thread a computation, no deadlines, and the slow kinds by their own command."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Workers share the cores among them: threads that spin for one cost more than they bring. Before torch is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# How long an example takes says how busy the machine is.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")
SYSTEM = Path(__file__).parent / "system"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/system, so that `make test` leaves it to `make test-system`."""
    for item in items:
        if SYSTEM in item.path.parents:
            item.add_marker(pytest.mark.system)
