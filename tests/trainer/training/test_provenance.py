"""Where a run came from: real git repositories, and folders that are none."""

import subprocess
from pathlib import Path

import pytest
import torch

from trainer.training.compute import Compute
from trainer.training.provenance import provenance, source_state


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A checkout with one package in it."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").write_text("x = 1\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "--message", "First")
    return folder


def test_a_checkout_is_named_by_its_commit_and_whether_it_was_changed(package: Path) -> None:
    commit = _git(package, "rev-parse", "HEAD")
    assert source_state(package) == {"commit": commit, "changed": False}
    (package / "__init__.py").write_text("x = 2\n")
    assert source_state(package) == {"commit": commit, "changed": True}


def test_a_package_installed_inside_a_checkout_is_not_that_checkouts(package: Path) -> None:
    installed = package / "site-packages"
    installed.mkdir()
    (installed / "__init__.py").write_text("")
    assert source_state(installed) == {"commit": None, "changed": None}


def test_a_package_outside_any_checkout_has_no_commit(tmp_path: Path) -> None:
    assert source_state(tmp_path) == {"commit": None, "changed": None}


def test_versions_and_number_formats_are_told_and_the_machine_is_not() -> None:
    told = provenance(Compute(dtype=torch.bfloat16), threads=3)
    assert (told["torch"], told["dtype"], told["threads"]) == (torch.__version__, "bfloat16", 3)
    assert set(told) == {
        *("dctwire", "commit", "changed", "python", "torch", "device", "dtype", "processes", "threads"),
    }
