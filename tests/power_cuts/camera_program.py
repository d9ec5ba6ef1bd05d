"""`dctwire-sensor`, the real program, whose spool also writes what it accepted into the ledger at LEDGER."""

import os
from pathlib import Path
from typing import Any

from sensor_client.app import main
from sensor_client.spool import Spool
from tests.power_cuts.ledger import Ledger

_append = Spool.append
_ledger = Ledger(Path(os.environ.pop("LEDGER")))


def _noted(spool: Spool, body: bytes, *more: Any, **named: Any) -> int:
    sequence = _append(spool, body, *more, **named)
    _ledger.accepted(sequence, body)
    return sequence


if __name__ == "__main__":
    Spool.append = _noted  # type: ignore[method-assign, assignment]
    main()
