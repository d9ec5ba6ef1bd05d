"""The rules of the native codec, held against its sources: no crates, and each `unsafe` in its place, with a reason."""

import re
import tomllib
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "shared" / "jpeg" / "native"
SOURCES = sorted((NATIVE / "src").rglob("*.rs"))
UNSAFE_FOLDERS = {"ffi", "simd"}
# What the SAFETY line of a block may stand above, too: the statement that the block is part of.
LINES_ABOVE = 6


def code_of(source: Path) -> list[str]:
    """Its lines without comments and strings."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', source.read_text())
    return [line.split("//", 1)[0] for line in text.splitlines()]


def is_allowed_unsafe(source: Path) -> bool:
    return source.relative_to(NATIVE / "src").parts[0] in UNSAFE_FOLDERS


def test_there_are_no_crates():
    manifest = tomllib.loads((NATIVE / "Cargo.toml").read_text())
    assert not [name for name in manifest if name.endswith("dependencies") or name == "target"]


def test_unsafe_is_forbidden_to_every_module_but_two():
    lines = (NATIVE / "src" / "lib.rs").read_text().splitlines()
    modules = {line[4:-1]: lines[at - 1] for at, line in enumerate(lines) if line.startswith("mod ")}
    assert "#![deny(unsafe_code)]" in lines
    assert {name for name, above in modules.items() if above != "#[forbid(unsafe_code)]"} == UNSAFE_FOLDERS


def test_nothing_outside_the_two_folders_is_unsafe():
    safe = [source for source in SOURCES if not is_allowed_unsafe(source)]
    assert len(safe) > 10
    assert not [source.name for source in safe if any(re.search(r"\bunsafe\b", line) for line in code_of(source))]


@pytest.mark.parametrize("source", [*filter(is_allowed_unsafe, SOURCES)], ids=lambda source: source.name)
def test_each_unsafe_block_says_why_it_is_safe(source):
    lines, code = source.read_text().splitlines(), code_of(source)
    blocks = [at for at, line in enumerate(code) if re.search(r"\bunsafe\s*(\{|impl\b)", line)]
    unexplained = [at + 1 for at in blocks if "SAFETY:" not in "\n".join(lines[max(at - LINES_ABOVE, 0) : at])]
    assert not unexplained
