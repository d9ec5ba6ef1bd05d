"""What a few tests need beside the extra [dev]: programs of the operating system, and the peers of the benchmarks."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest


def required(*programs: str) -> None:
    """Skip with a reason where a program is missing; where DCTWIRE_REQUIRE_SYSTEM_PACKAGES is set (CI), fail."""
    need([program for program in programs if shutil.which(program) is None], ".ci/run installs it")


def required_headers(*headers: str) -> None:
    """Skip, or fail in CI, where a header of a C library is missing."""
    folders = [Path("/usr/include"), Path("/usr/local/include")]
    missing = [header for header in headers if not any((folder / header).exists() for folder in folders)]
    need(missing, ".ci/run installs it")


def required_modules(*modules: str) -> None:
    """Skip, or fail in CI, where a package of the extra [bench] is missing."""
    need([module for module in modules if find_spec(module) is None], "`make setup-bench` installs it")


def need(missing: list[str], how: str) -> None:
    """Skip, or fail in CI, where anything is missing; `how` says how it comes here."""
    if missing and os.environ.get("DCTWIRE_REQUIRE_SYSTEM_PACKAGES"):
        pytest.fail(f"{', '.join(missing)} must be installed here")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}; {how}")
