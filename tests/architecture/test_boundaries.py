"""The rules of docs/architecture.md, held against the code: who runs what, and who may import which library."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("sensor_client", "cloud_server", "trainer")
PACKAGES = ("shared", *PROGRAMS)
TOO_HEAVY_FOR_A_SENSOR = {
    "torch",
    "onnx",
    "onnxruntime",
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "matplotlib",
}
# One door to each outside library, a program: the only module of that program that may import it.
DOORS = {
    ("shared", "shared.jpeg._codec"): {"shared.jpeg.native"},
    ("shared", "tuf"): {"shared.trust.client", "shared.trust.repository"},
    ("shared", "securesystemslib"): {"shared.trust.keys", "shared.trust.repository"},
    ("sensor_client", "httpx"): None,
    ("sensor_client", "PIL"): None,
    ("sensor_client", "sqlite3"): None,
    ("cloud_server", "httpx"): None,
    ("cloud_server", "onnxruntime"): None,
    ("cloud_server", "alembic"): {
        "cloud_server.storage.migrating",
        "cloud_server.storage.migrations.env",
        "cloud_server.storage.migrations.versions.v0001",
    },
    ("cloud_server", "obstore"): {"cloud_server.storage.bucket"},
    ("trainer", "onnx"): {"trainer.export.onnx_writer"},
    # The runtime, and the quantiser it comes with.
    ("trainer", "onnxruntime"): {"trainer.export.classifier", "trainer.export.int8"},
    ("trainer", "httpx"): {"trainer.data.download"},
    ("trainer", "matplotlib"): None,
    ("trainer", "scipy"): None,
    ("trainer", "skimage"): None,
}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


def sources(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if "_codec" in path.parts:
            continue  # generated at build time
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield module, ast.parse(path.read_text())


def imported_modules(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def importers(package: str, library: str) -> set[str]:
    """Modules of `package` that import `library` or something inside it."""
    return {
        module
        for module, tree in sources(package)
        if any(name == library or name.startswith(f"{library}.") for name in imported_modules(tree))
    }


@pytest.mark.parametrize("module", ["sensor_client.app", "shared.jpeg", "shared.bundle", "shared.trust", "shared.wire"])
def test_a_sensor_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not TOO_HEAVY_FOR_A_SENSOR & set(loaded.stdout.split())


@pytest.mark.parametrize(("package", "library"), DOORS)
def test_each_outside_library_has_one_door(package: str, library: str) -> None:
    doors = importers(package, library)
    allowed = DOORS[package, library]
    assert doors == allowed if allowed else len(doors) == 1, f"{library} is imported by {sorted(doors)}"


@pytest.mark.parametrize("part", ["errors", "jpeg", "bundle", "trust", "wire"])
def test_what_is_shared_is_run_by_at_least_two_programs(part: str) -> None:
    users = {
        program
        for program in PROGRAMS
        for _, tree in sources(program)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"shared.{part}")
    }
    assert len(users) >= 2, f"shared.{part} is used by {sorted(users)} alone"


def test_no_module_has_a_name_that_says_nothing() -> None:
    modules = [module for package in PACKAGES for module, _ in sources(package)]
    assert not [module for module in modules if VAGUE_NAMES & set(module.split("."))]


def test_every_module_says_what_it_is_for() -> None:
    modules = {module: tree for package in PACKAGES for module, tree in sources(package)}
    assert not [module for module, tree in modules.items() if tree.body and not ast.get_docstring(tree)]


def test_every_folder_of_the_packages_and_tests_is_a_package() -> None:
    files = [path for package in (*PACKAGES, "tests") for path in (ROOT / package).rglob("*.py")]
    folders = {path.parent for path in files if "_codec" not in path.parts}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_does_nothing(package: str) -> None:
    """No module-level call of a name that acts: servers, threads, files, sockets belong in `app.py`'s functions."""
    acting = {"run", "start", "connect", "mkdir", "write_text", "write_bytes", "unlink", "open", "create_engine"}
    calls = [
        f"{module}:{node.lineno}"
        for module, tree in sources(package)
        for node in tree.body
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "attr", getattr(node.value.func, "id", "")) in acting
    ]
    assert not calls


def test_no_file_is_longer_than_anyone_reads() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "_codec" not in path.parts]
    files += (ROOT / "shared/jpeg/native/src").rglob("*.rs")
    assert not [f"{path.relative_to(ROOT)}" for path in files if len(path.read_text().splitlines()) > 400]
