"""Which bundle may be assigned, and what that does to a rollout."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud_server.errors import BelowFloorError
from cloud_server.registry.assigning import require_above_floor
from cloud_server.storage.rows import rollouts
from tests.cloud_server.harness.lines import Line, Stand
from tests.cloud_server.harness.rollouts import EVERYBODY, begun, new_rollout
from tests.cloud_server.registry.test_publish_checks import bundle


@pytest.mark.parametrize(("counter", "floors"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (2, [1, 2, 2])])
def test_a_bundle_at_or_above_every_floor_may_be_assigned(counter: int, floors: list[int]) -> None:
    published = [bundle(number + 1, floor) for number, floor in enumerate(floors)]
    require_above_floor(bundle(counter), published)


@pytest.mark.parametrize(("counter", "floors"), [(1, [1, 2]), (2, [1, 1, 3]), (1, [1, 2, 1])])
def test_a_bundle_below_a_later_bundles_floor_may_not_be_assigned(counter: int, floors: list[int]) -> None:
    published = [bundle(number + 1, floor) for number, floor in enumerate(floors)]
    with pytest.raises(BelowFloorError, match=f"digits/{counter} is below the floor {max(floors)}"):
        require_above_floor(bundle(counter), published)


@pytest.fixture
def line(stand: Stand) -> Line:
    """A family with bundles 1 to 3, the first one assigned, and one device."""
    line = stand.line(devices=1)
    for counter in (1, 2, 3):
        assert line.publish(counter).status_code == 201
    assert line.assign(1).status_code == 201
    return line


@pytest.mark.parametrize("counter", [1, 2, 3])
def test_an_assignment_while_a_rollout_begins_waits_for_it_and_ends_it(line: Line, counter: int) -> None:
    """Else the rollout would lead devices away from what the family is assigned, and back to what it was."""
    new = new_rollout(f"{line.family[-4:]:x>8}", line.family, 2)
    with ThreadPoolExecutor(1) as thread:
        with line.harness.database() as database:
            row = begun(database, [EVERYBODY], new=new, now=time.time())
            assigning = thread.submit(line.assign, counter)
            with pytest.raises(TimeoutError):
                assigning.result(0.5)
        answer = assigning.result()
    assert (answer.status_code, answer.json()["counter"]) == (201, counter)
    assert (answer.json()["seq"] == row.old_seq) == (counter == 1), "what is assigned already keeps its number"
    assert line.devices[0].http.get("/v1/assignment").json()["seq"] == answer.json()["seq"]
    with line.harness.database() as database:
        after = rollouts.find(database, row.id)
    assert after is not None and after.state == "superseded"
    (noted, *_) = line.operator.get("/v1/audit", params={"subject": line.family}).json()["entries"]
    assert (noted["action"], noted["after"]["superseded"]) == ("family.assign", row.id)
