"""Programs of the operating system that a few tests run for real: Prometheus, docker-compose."""

import os
import shutil

import pytest


def required(*programs: str) -> None:
    """Skip with a reason where a program is missing; where DCTWIRE_REQUIRE_SYSTEM_PACKAGES is set (CI), fail."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing and os.environ.get("DCTWIRE_REQUIRE_SYSTEM_PACKAGES"):
        pytest.fail(f"{', '.join(missing)} must be installed here")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}; .ci/run installs it")
