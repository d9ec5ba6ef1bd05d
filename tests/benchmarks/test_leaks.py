"""The rule that tells a leak from caches that fill and memory that breathes, on readings whose truth is known."""

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.leaks import (
    Reading,
    growth_bytes_a_request,
    growth_mebibytes,
    resident_mebibytes,
    slope_mebibytes_per_hour,
)


def readings(seconds: int, leak_per_hour: float) -> list[Reading]:
    """A process that fills its caches, breathes, and loses `leak_per_hour` MiB."""
    rng = np.random.default_rng(0)
    return [
        Reading(at, 150 + 40 * (1 - np.exp(-at / 60)) + rng.normal(0, 1) + leak_per_hour * at / 3600)
        for at in range(seconds)
    ]


def test_caches_that_fill_are_no_leak() -> None:
    flat = readings(1800, leak_per_hour=0)
    assert growth_mebibytes(flat) == pytest.approx(0, abs=0.3)
    assert slope_mebibytes_per_hour(flat) == pytest.approx(0, abs=1)


def test_a_slow_leak_is_found_and_measured() -> None:
    leaking = readings(1800, leak_per_hour=20)
    assert growth_mebibytes(leaking) == pytest.approx(20 * 900 / 3600, abs=0.5)
    assert slope_mebibytes_per_hour(leaking) == pytest.approx(20, abs=1)


def test_a_leak_is_told_in_bytes_a_request() -> None:
    requests = 100_000
    leaking = readings(1800, leak_per_hour=3600 / 1800 * requests * 1024 / 2**20)
    assert growth_bytes_a_request(leaking, requests) == pytest.approx(1024, rel=0.05)


def test_one_step_late_in_the_run_is_growth() -> None:
    stepped = [Reading(at, 100 if at < 1000 else 110) for at in range(1200)]
    assert growth_mebibytes(stepped) == 10


def test_too_few_readings_say_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        growth_mebibytes(readings(10, 0))


def test_resident_memory_is_what_a_process_holds() -> None:
    """Measured on a process of its own: a worker of this suite may fill the array from memory that it has already."""
    holder = "print(flush=True); input(); held = bytearray(b'x') * (256 << 20); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        before = resident_mebibytes(process.pid)
        process.stdin.write("\n")
        process.stdout.readline()
        held = resident_mebibytes(process.pid) - before
        process.stdin.write("\n")
    assert held == pytest.approx(256, rel=0.1)
