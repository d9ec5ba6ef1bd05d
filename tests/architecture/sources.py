"""The packages' sources as the rules of the architecture read them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("sensor_client", "cloud_server", "trainer")
PACKAGES = ("shared", *PROGRAMS)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(package: str) -> list[Path]:
    """Every Python file of a package but those that the build generates."""
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "_codec" not in path.parts]


@cache
def sources(package: str) -> list[tuple[str, ast.Module]]:
    """Every module of a package, by its dotted name, parsed."""
    return [(_dotted_name(path), ast.parse(path.read_text())) for path in files(package)]


def _dotted_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(tree: ast.Module) -> set[str]:
    """What a module imports: modules, and names of modules."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function and method, by its name within the module."""
    yield from _functions(tree, "")


def _functions(node: ast.AST, within: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + child.name, child
        name = f"{within}{child.name}." if isinstance(child, Function | ast.ClassDef) else within
        yield from _functions(child, name)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an expression that is such a name, else "" before what is none."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return node.id if isinstance(node, ast.Name) else ""
