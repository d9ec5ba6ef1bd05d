"""Which settings hold for a device: its tags' before its family's, those that were set last of several."""

import pytest

from cloud_server.fleet.settings_in_effect import Scope, counter_of

FAMILY, NORTH, ROOF = Scope(9, None), Scope(3, "site=north"), Scope(4, "roof")


@pytest.mark.parametrize(
    ("scopes", "tags", "expected"),
    [
        ((), {"roof"}, 0),
        ((FAMILY,), set(), 9),
        ((FAMILY, NORTH), set(), 9),
        ((FAMILY, NORTH), {"site=north"}, 3),
        ((FAMILY, NORTH, ROOF), {"site=north", "roof"}, 4),
        ((NORTH, ROOF), {"site=south"}, 0),
    ],
)
def test_a_tags_settings_stand_before_the_familys_and_the_last_set_of_several_hold(
    scopes: tuple[Scope, ...], tags: set[str], expected: int
) -> None:
    assert counter_of(scopes, tags) == expected
