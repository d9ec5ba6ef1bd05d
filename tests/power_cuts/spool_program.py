"""Fills and empties a spool, and says in a ledger what was safe when: `ROOT SEED FRAMES`."""

import sys
from pathlib import Path
from random import Random

from sensor_client.spool import Spool, SpoolLimits
from tests.power_cuts.ledger import Ledger

BODY_BYTES = 3_000


def work(root: Path, seed: int, frames: int) -> None:
    """Append so many frames; now and then, the oldest ones are answered for."""
    chance, ledger = Random(seed), Ledger(root / "ledger")
    spool = Spool(root / "spool.sqlite3", SpoolLimits())
    for _ in range(frames):
        body = chance.randbytes(chance.randrange(1, BODY_BYTES))
        ledger.accepted(spool.append(body, 0), body)
        if chance.random() < 0.2:
            answered = [frame.sequence for frame in spool.oldest(chance.randrange(1, 8))]
            for sequence in answered:
                ledger.leaving(sequence)
            spool.acknowledge(answered)
    spool.close()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
