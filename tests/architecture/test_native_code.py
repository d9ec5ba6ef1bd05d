"""The rules of the native codec, held against its sources: no crates, layers without rings, and each `unsafe` in its
place, with a reason."""

import re
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "shared" / "jpeg" / "native"
SOURCES = sorted((NATIVE / "src").rglob("*.rs"))
UNSAFE_FOLDERS = {"ffi", "simd"}
# What the SAFETY line of a block may stand above, too: the statement that the block is part of.
LINES_ABOVE = 6
# From the top: a module uses those of lower layers, never one of its own layer or of a higher one.
LAYERS = (
    {"tests"},
    {"ffi"},
    {"transcode"},
    {"decoding", "encoding"},
    {"entropy", "simd", "syntax"},
    {"transform"},
    {"tables"},
    {"geometry"},
    {"error"},
    {"share_out", "tables_id"},
)


def code_of(source: Path) -> list[str]:
    """Its lines without comments and strings."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', source.read_text())
    return [line.split("//", 1)[0] for line in text.splitlines()]


def is_allowed_unsafe(source: Path) -> bool:
    return source.relative_to(NATIVE / "src").parts[0] in UNSAFE_FOLDERS


def test_there_are_no_crates() -> None:
    manifest = tomllib.loads((NATIVE / "Cargo.toml").read_text())
    assert not [name for name in manifest if name.endswith("dependencies") or name == "target"]


def test_unsafe_is_forbidden_to_every_module_but_two() -> None:
    lines = (NATIVE / "src" / "lib.rs").read_text().splitlines()
    modules = {line[4:-1]: lines[at - 1] for at, line in enumerate(lines) if line.startswith("mod ")}
    assert "#![deny(unsafe_code)]" in lines
    assert {name for name, above in modules.items() if above != "#[forbid(unsafe_code)]"} == UNSAFE_FOLDERS


def test_nothing_outside_the_two_folders_is_unsafe() -> None:
    safe = [source for source in SOURCES if not is_allowed_unsafe(source)]
    assert len(safe) > 10
    assert not [source.name for source in safe if any(re.search(r"\bunsafe\b", line) for line in code_of(source))]


@pytest.mark.parametrize("source", [*filter(is_allowed_unsafe, SOURCES)], ids=lambda source: source.name)
def test_each_unsafe_block_says_why_it_is_safe(source: Path) -> None:
    lines, code = source.read_text().splitlines(), code_of(source)
    blocks = [at for at, line in enumerate(code) if re.search(r"\bunsafe\s*(\{|impl\b)", line)]
    unexplained = [at + 1 for at in blocks if "SAFETY:" not in "\n".join(lines[max(at - LINES_ABOVE, 0) : at])]
    assert not unexplained


def module_of(source: Path, root: Path) -> str:
    """Its path in the crate, such as `decoding::paired::cursor`; a `mod.rs` is its folder, `lib.rs` is empty."""
    parts = source.relative_to(root).with_suffix("").parts
    return "::".join(part for part in parts if part not in {"lib", "mod"})


def paths_of(code: str) -> Iterator[str]:
    """Every path in Rust code, groups spelled out: `a::{b, c::d}` is `a::b` and `a::c::d`."""
    group = re.compile(r"((?:\w+\s*::\s*)+)\{([^{}]*)\}")
    while (spelled := group.sub(lambda m: ", ".join(m[1] + item.strip() for item in m[2].split(",")), code)) != code:
        code = spelled
    yield from (re.sub(r"\s", "", path) for path in re.findall(r"(?<![\w:])\w+(?:\s*::\s*\w+)+", code))


def used_by(source: Path, root: Path, modules: set[str]) -> set[str]:
    """The modules whose items a source names; its own, and those that it only declares, are not among them."""
    own, code = module_of(source, root), "\n".join(code_of(source))
    children = set(re.findall(r"^(?:pub(?:\(\w+\))? )?mod (\w+);", code, re.MULTILINE))
    # `super` inside an indented module of tests is the file itself.
    code = re.sub(r"^ +use super::\*;", "", code, flags=re.MULTILINE)
    used = set()
    for path in paths_of(code):
        first, *rest = path.split("::")
        if first in children or first == "self":
            rest = [*own.split("::"), *([first] if first in children else []), *rest]
        elif first == "super":
            rest = [*own.split("::")[:-1], *rest]
        elif first != "crate":
            continue
        prefixes = ("::".join(rest[:length]) for length in range(len(rest), 0, -1))
        used.add(next(prefix for prefix in prefixes if prefix in modules))
    return used - {own}


def module_graph(root: Path) -> dict[str, set[str]]:
    """The modules that each module of a crate uses."""
    sources = [source for source in sorted(root.rglob("*.rs")) if source.name != "lib.rs"]
    modules = {module_of(source, root) for source in sources}
    return {module_of(source, root): used_by(source, root, modules) for source in sources}


def layer_of(module: str) -> int:
    """How far from the top its layer is."""
    return next(rank for rank, layer in enumerate(LAYERS) if module.split("::", maxsplit=1)[0] in layer)


def test_no_modules_use_each_other_in_a_ring() -> None:
    graph = module_graph(NATIVE / "src")
    assert sum(map(len, graph.values())) > 100
    TopologicalSorter(graph).prepare()


def test_modules_use_only_lower_layers() -> None:
    graph = module_graph(NATIVE / "src")
    assert {module.split("::")[0] for module in graph} == set().union(*LAYERS)
    upwards = [
        f"{module} uses {used}"
        for module, all_used in graph.items()
        for used in all_used
        if module.split("::")[0] != used.split("::")[0] and layer_of(module) >= layer_of(used)
    ]
    assert not upwards


@pytest.mark.parametrize(
    "sources",
    [
        {"a.rs": "use crate::b::Thing;", "b.rs": "fn f() { crate::a::g() }"},
        {"a.rs": "use crate::{\n    b::{c::Thing, d},\n};", "b/mod.rs": "", "b/c.rs": "use crate::a;", "b/d.rs": ""},
        {"a/mod.rs": "mod b;\nconst X: u8 = b::X;", "a/b.rs": "use super::Thing;"},
        {"a/b.rs": "use super::c::Thing;", "a/c.rs": "use crate::a::b::Thing;", "a/mod.rs": ""},
    ],
    ids=["a path", "a group", "a folder and its file", "siblings"],
)
def test_a_ring_is_found(sources: dict[str, str], tmp_path: Path) -> None:
    for name, code in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    with pytest.raises(CycleError):
        TopologicalSorter(module_graph(tmp_path)).prepare()


def test_what_only_comments_tests_and_declarations_name_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mod.rs").write_text("pub mod b;\n// crate::a::b::Thing\n")
    (tmp_path / "a" / "b.rs").write_text("mod tests {\n    use super::*;\n    use crate::a::b::Thing;\n}\n")
    assert module_graph(tmp_path) == {"a": set(), "a::b": set()}
