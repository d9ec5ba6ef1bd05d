"""A machine for jobs in tests: the CPU, a cache of its own, clocks that stand still, and nobody to report to."""

from datetime import UTC, datetime
from pathlib import Path

from trainer.jobs import Machine
from trainer.training.compute import Compute
from trainer.training.reporter import Reporter, Silent

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def machine(folder: Path, reporter: Reporter | None = None) -> Machine:
    """One whose cache is in the folder."""
    return Machine(
        data_dir=None,
        cache_dir=folder / "cache",
        compute=lambda _device: Compute(),
        monotonic=lambda: 0.0,
        now=lambda: NOW,
        reporter=reporter or Silent(),
    )
