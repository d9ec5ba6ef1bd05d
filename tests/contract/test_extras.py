"""Each program runs with the packages of its own extra alone, and says which extra is missing where it cannot."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRA_OF = {"dctwire": "", "dctwire-server": "cloud", "dctwire-sensor": "sensor", "dctwire-trainer": "train"}


def distributions(requirements: list[str], seen: set[str]) -> Iterator[Distribution]:
    """What these requirements install, and what that needs in turn."""
    for text in requirements:
        needed = Requirement(text)
        if needed.marker is not None and not any(
            needed.marker.evaluate({"extra": extra}) for extra in ("", *needed.extras)
        ):
            continue
        try:
            found = distribution(needed.name)
        except PackageNotFoundError:
            continue  # another platform's
        names = {f"{needed.name.lower()}[{extra}]" for extra in ("", *needed.extras)}
        if not names <= seen:
            seen |= names
            yield found
            yield from distributions([named(one, needed) for one in found.requires or ()], seen)


def named(requirement: str, by: Requirement) -> str:
    """A requirement of a package, without the marker of an extra that was asked for."""
    parsed = Requirement(requirement)
    if parsed.marker is not None and any(parsed.marker.evaluate({"extra": extra}) for extra in by.extras):
        parsed.marker = None
    return str(parsed)


@pytest.fixture
def installed(tmp_path: Path) -> Callable[[str], Path]:
    """A folder of packages as `pip install 'dctwire[EXTRA]'` makes it, by links."""

    def install(extra: str) -> Path:
        folder = tmp_path / f"with-{extra}"
        folder.mkdir()
        requirements = PROJECT["dependencies"] + (PROJECT["optional-dependencies"][extra] if extra else [])
        for found in (distribution("dctwire"), *distributions(requirements, set())):
            for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
                link = folder / top
                if not link.exists():
                    link.symlink_to(Path(str(found.locate_file(top))))
        return folder

    return install


def run(program: str, packages: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A program where nothing but `packages` is installed."""
    module, function = PROJECT["scripts"][program].split(":")
    code = f"import sys; sys.argv[0] = {program!r}; from {module} import {function}; {function}()"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DCTWIRE_"))}
    return subprocess.run(
        [sys.executable, "-S", "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment | {"PYTHONPATH": f"{ROOT}{os.pathsep}{packages}"},
    )


@pytest.mark.parametrize(("program", "extra"), EXTRA_OF.items())
def test_a_program_needs_the_packages_of_its_extra_and_no_others(
    program: str, extra: str, installed: Callable[[str], Path]
) -> None:
    told = run(program, installed(extra), "--help")
    assert told.returncode == 0, told.stderr
    assert "Usage" in told.stdout


@pytest.mark.parametrize(("program", "extra"), [pair for pair in EXTRA_OF.items() if pair[1]])
def test_a_program_without_its_packages_names_the_extra_that_brings_them(
    program: str, extra: str, installed: Callable[[str], Path]
) -> None:
    told = run(program, installed(""), "--help")
    assert told.returncode == 1
    assert told.stderr.startswith(f"{program}: the package ")
    assert f"-m pip install 'dctwire-....whl[{extra}]'" in told.stderr and "docs/getting-it.md" in told.stderr
    assert "Traceback" not in told.stderr
