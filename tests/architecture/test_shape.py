"""The shape of the code: files and functions no longer than anyone reads, named, explained, and in packages."""

import ast
from statistics import median, quantiles

import pytest

from tests.architecture.sources import PACKAGES, ROOT, files, functions, sources

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
FILE_LINES = 400
FUNCTION_LINES = 60
USUAL_LINES, LONG_LINES = 6, 16
"""What half and nine tenths of all functions stay within."""
TESTED_BESIDE = ("tests", "benchmarks", "deploy", "harness")
LONGER = {
    "cloud_server.metrics:Metrics.__init__": "one list of everything that is counted",
    "cloud_server.storage.migrations.versions.v0001:upgrade": "a revision is never changed once it was released",
}


def lengths(package: str) -> dict[str, int]:
    """Lines of every function, from `def` to its end."""
    return {
        f"{module}:{name}": (function.end_lineno or 0) - function.lineno + 1
        for module, tree in sources(package)
        for name, function in functions(tree)
    }


@pytest.mark.parametrize("package", [*PACKAGES, *TESTED_BESIDE])
def test_no_function_is_longer_than_anyone_reads(package: str) -> None:
    too_long = {name for name, lines in lengths(package).items() if lines > FUNCTION_LINES}
    assert too_long == {name for name in LONGER if name.startswith(f"{package}.")}


def test_functions_are_short_as_a_rule() -> None:
    lines = [lines for package in PACKAGES for lines in lengths(package).values()]
    assert median(lines) <= USUAL_LINES
    assert quantiles(lines, n=10)[-1] <= LONG_LINES


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks", "deploy", "harness"])
def test_no_file_is_longer_than_anyone_reads(package: str) -> None:
    paths = [*files(package), *(ROOT / package).rglob("src/**/*.rs")]
    assert not [f"{path.relative_to(ROOT)}" for path in paths if len(path.read_text().splitlines()) > FILE_LINES]


def test_no_module_has_a_name_that_says_nothing() -> None:
    modules = [module for package in PACKAGES for module, _ in sources(package)]
    assert not [module for module in modules if VAGUE_NAMES & set(module.split("."))]


def test_every_module_says_what_it_is_for() -> None:
    modules = {module: tree for package in PACKAGES for module, tree in sources(package)}
    assert not [module for module, tree in modules.items() if tree.body and not ast.get_docstring(tree)]


@pytest.mark.parametrize("package", [*PACKAGES, *TESTED_BESIDE])
def test_every_folder_with_code_is_a_package(package: str) -> None:
    folders = {path.parent for path in files(package)}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]
