"""Which bundle may be assigned."""

import pytest

from cloud_server.errors import ConflictError
from cloud_server.registry.assigning import require_above_floor
from tests.cloud_server.registry.test_publish_checks import bundle


@pytest.mark.parametrize(("counter", "floors"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (2, [1, 2, 2])])
def test_a_bundle_at_or_above_every_floor_may_be_assigned(counter: int, floors: list[int]) -> None:
    published = [bundle(number + 1, floor) for number, floor in enumerate(floors)]
    require_above_floor(bundle(counter), published)


@pytest.mark.parametrize(("counter", "floors"), [(1, [1, 2]), (2, [1, 1, 3]), (1, [1, 2, 1])])
def test_a_bundle_below_a_later_bundles_floor_may_not_be_assigned(counter: int, floors: list[int]) -> None:
    published = [bundle(number + 1, floor) for number, floor in enumerate(floors)]
    with pytest.raises(ConflictError, match=f"digits/{counter} is below the floor {max(floors)}"):
        require_above_floor(bundle(counter), published)
