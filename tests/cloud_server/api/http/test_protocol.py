"""The door to uvicorn: nobody else goes through. What the protocol does is tested over sockets, beside this file."""

import ast
from pathlib import Path

import cloud_server

_ROOT = Path(cloud_server.__file__).parent


def importers(library: str) -> set[str]:
    """Modules of the server that import a library, or a part of it."""
    return {
        path.relative_to(_ROOT).as_posix()
        for path in _ROOT.rglob("*.py")
        if any(f"{name}.".startswith(f"{library}.") for name in imported(path))
    }


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_one_module_knows_uvicorns_protocols_and_one_its_server() -> None:
    assert importers("uvicorn.protocols") == {"api/http/protocol.py"}
    assert importers("uvicorn") == {"api/http/protocol.py", "listeners.py"}
    assert importers("httptools") == set()
