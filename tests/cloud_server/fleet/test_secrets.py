"""Names by chance."""

import re

from cloud_server.fleet.secrets import new_rollout_id


def test_rollouts_get_names_by_chance_of_eight_letters_and_digits() -> None:
    names = {new_rollout_id() for _ in range(1000)}
    assert len(names) == 1000
    assert all(re.fullmatch("[a-z2-7]{8}", name) for name in names)
