"""Which source and which libraries a run came from, as far as they can be known."""

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from trainer.training.compute import Compute

GIT_SECONDS = 10


def provenance(compute: Compute, threads: int) -> dict[str, Any]:
    """Versions, source and number formats, plain values; nothing that names the machine or its user."""
    return {
        "dctwire": version("dctwire"),
        **source_state(Path(__file__).parents[1]),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": compute.device.type,
        "dtype": str(compute.dtype).removeprefix("torch."),
        "processes": compute.world,
        "threads": threads,
    }


def source_state(package: Path) -> dict[str, Any]:
    """Commit of the checkout that a package is part of, and whether its tracked files differ from it.

    Both None where it is no part of a checkout; a package that is merely installed somewhere inside one is none.
    """
    unknown = {"commit": None, "changed": None}
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return unknown
    commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain", "--untracked-files=no")
    return unknown if commit is None or changes is None else {"commit": commit, "changed": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where it is not installed, fails or hangs."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)  # noqa: S603 - our own words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
