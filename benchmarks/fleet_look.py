"""What one look at a rollout costs the server, over the database that a real rollout to a real fleet left."""

import gc
import statistics
import time
from pathlib import Path

from benchmarks.rollout_gates import FINE
from benchmarks.untrained_bundle import FAMILY
from cloud_server.rollout.gates import alpha_a_look, judge
from cloud_server.rollout.seeing import see
from cloud_server.rollout.steering import PAGE_MAX, Rollout
from cloud_server.storage.database import Transaction
from cloud_server.storage.engine import open_engine
from cloud_server.storage.rows import rollouts

TRIES = 15
MAX_SECONDS = 60.0
Figures = dict[str, float]


def look_ms(data: Path, counter: int) -> Figures:
    """Processor milliseconds, the medians of some looks: at the devices alone, and with the gates judged.

    Args:
        data: the folder of a server's data.
        counter: whose newest rollout.
    """
    gc.collect()
    gc.freeze()  # as the server does when it has begun
    engine = open_engine(None, data, MAX_SECONDS).execution_options(is_reading=True)
    with engine.connect() as connection:
        rows = rollouts.page(connection, FAMILY, None, PAGE_MAX)
        rollout = next(Rollout.of(row) for row in rows if row.counter == counter)
        seeing = statistics.median(_seen(connection, rollout, with_gates=False) for _ in range(TRIES))
        looking = statistics.median(_seen(connection, rollout, with_gates=True) for _ in range(TRIES))
    engine.dispose()
    return {"look_ms": looking, "look_without_gates_ms": seeing}


def _seen(connection: Transaction, rollout: Rollout, *, with_gates: bool) -> float:
    exposure = rollout.exposure
    began = time.thread_time()
    sight = see(
        connection,
        rollout.row,
        rollout.plan,
        lambda device_id: exposure.includes(device_id, frozenset()),
        frozenset(),
        time.time(),
        with_counts=with_gates,
    )
    if sight.counts is not None:
        alpha = alpha_a_look(rollout.plan.judgements)
        for gate in FINE:
            judge(gate, sight.counts, alpha=alpha, look=1, looks=1, expected_disagreement=None)
    return 1000 * (time.thread_time() - began)
