"""Hundreds of kills, power cuts and broken connections: what the spool accepted is in the server's records once.

DCTWIRE_ATTACKS asks for more kills than 200: they take about a second each.
"""

import os
from pathlib import Path

import pytest

from tests.power_cuts.killed_field import KilledField, digest_of
from tests.system_packages import required

KILLS = int(os.environ.get("DCTWIRE_ATTACKS", "200"))
SEED = 15


@pytest.mark.system
@pytest.mark.timeout(60 + 6 * KILLS)
def test_every_accepted_frame_arrives_once_whatever_is_killed_and_whatever_the_line_does(tmp_path: Path) -> None:
    required("gcc")
    with KilledField(tmp_path, SEED) as field:
        for _ in range(KILLS):
            field.kill()
        arrived_meanwhile = len(field.answered())
        field.drain()
        accepted, answered, status = field.accepted, field.answered(), field.status
        print(field.kills, dict(field.proxy.met), f"{len(accepted.bodies)} frames, {arrived_meanwhile} meanwhile")
        lost = {number for number, body in accepted.bodies.items() if answered.get(number) != digest_of(body)}
        assert lost == set()
        # A frame that was safe a moment before the kill, and not yet in the ledger, arrives as well.
        assert len(answered.keys() - accepted.bodies.keys()) <= field.kills["camera"]
        assert field.counted() == len(answered)
        assert (status.spooled_frames, status.dead_letters) == (0, 0)
        assert min(field.kills.values()) > KILLS // 20
        assert len(field.proxy.met) == 7
        assert arrived_meanwhile > 0
