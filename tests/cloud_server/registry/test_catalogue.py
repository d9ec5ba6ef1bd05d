"""What was published, in the order that callers rely on."""

from datetime import UTC, datetime
from typing import Any

from cloud_server.registry.catalogue import Catalogue, Registered
from shared.bundle import Fallback
from tests.shared.bundle.test_fallback import FALLBACK


def _fallback(day: int) -> Fallback:
    return FALLBACK.model_copy(update={"created_at": datetime(2026, 1, day, tzinfo=UTC)})


def test_a_familys_last_fallback_is_the_one_that_was_made_last_whatever_its_name() -> None:
    nowhere: Any = None
    catalogue = Catalogue(nowhere)
    for day in (4, 1, 6, 3, 5, 2):
        made = _fallback(day)
        catalogue.add(Registered(made, made.to_bytes(), registered_at=0.0))
    listed = [one.published for one in catalogue.fallbacks()]
    assert [one.created_at.day for one in listed] == [1, 2, 3, 4, 5, 6]
    assert [one.name for one in listed] != sorted(one.name for one in listed)
