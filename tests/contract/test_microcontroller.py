"""The page's C library for microcontrollers: its example runs, and its memory is what the page says."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_server.cli.app import app
from shared.bundle import Bundle
from tests.cloud_server.harness.c_library import bundle_of, compiled_for_arm, write_files
from tests.cloud_server.harness.frames import picture
from tests.shared.jpeg.pictures import portrait
from tests.system_packages import required
from tests.vectors.bundle_vectors import bundles

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "trainer/zoo/cifar100-150"
PAGE = (ROOT / "docs/sensor.md").read_text()
STRICT = ("-std=c99", "-Os", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
CORTEX = ("arm-none-eabi-gcc", "-mthumb", "-ffreestanding")
TARGETS = {
    "Cortex-M0+": (*CORTEX, "-mcpu=cortex-m0plus"),
    "Cortex-M4": (*CORTEX, "-mcpu=cortex-m4"),
    "x86, 32 bits": ("gcc", "-m32"),
    "x86-64": ("gcc",),
}
TOLERANCE = 0.03
"""Another release of a compiler may make a little more or less of the same source."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of flash (code and tables), of a context, and of the deepest stack without what a sink takes."""

    flash: int
    context: int
    stack: int


def footprint(bundle: Bundle, compiler: tuple[str, ...], folder: Path) -> Footprint:
    """What a library takes, as the compiler and `size` say."""
    source, made = write_files(folder, bundle), folder / "library.o"
    with source.open("a") as file:
        file.write(
            "\nextern char context[sizeof(dctwire_camera_encoder)];\nchar context[sizeof(dctwire_camera_encoder)];\n"
        )
    subprocess.run([*compiler, *STRICT, "-fcallgraph-info=su", "-c", "-o", made, source], check=True, timeout=60)
    size = subprocess.run(
        [compiler[0].replace("gcc", "size"), made], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()[1]
    text, data, bss = map(int, size.split()[:3])
    return Footprint(text + data, bss, deepest_stack((folder / "library.ci").read_text()))


def deepest_stack(graph: str) -> int:
    """The most that calls within a file can take, from the graph that -fcallgraph-info=su writes."""
    own = {
        name: int(taken) for name, taken in re.findall(r'node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes', graph)
    }
    calls = re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', graph)

    def deep(name: str) -> int:
        return own.get(name, 0) + max((deep(called) for caller, called in calls if caller == name), default=0)

    return max(map(deep, own))


def told() -> dict[str, tuple[Footprint, Footprint]]:
    """The page's table: for each processor, of a bundle without and of one with weights."""
    rows = re.findall(
        r"^\| ([A-Za-z][^|]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.M
    )
    found = {}
    for name, *cells in rows:
        flash, weighing_flash, context, stack, weighing_stack = (int(cell.replace(",", "")) for cell in cells)
        found[name] = Footprint(flash, context, stack), Footprint(weighing_flash, context, weighing_stack)
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_the_page_tells_the_memory_that_the_library_takes(target: str, tmp_path: Path) -> None:
    compiler = TARGETS[target]
    required(compiler[0])
    entry, weighing = Bundle.from_bytes((ENTRY / "bundle.json").read_bytes()), bundles()["learned-schema-2.json"]
    measured = tuple(footprint(bundle_of(each.tables, each.settings), compiler, tmp_path) for each in (entry, weighing))
    for is_told, is_so in zip(told()[target], measured, strict=True):
        for one, other in (
            (is_told.flash, is_so.flash),
            (is_told.context, is_so.context),
            (is_told.stack, is_so.stack),
        ):
            assert abs(one - other) <= TOLERANCE * other, measured


def instructions_a_pixel(bundle: Bundle, processor: str, folder: Path) -> float:
    """What an emulator carries out for a part of a photograph, pixel by pixel."""
    program, log = compiled_for_arm(folder, bundle, processor), folder / "log"
    shown = b"\0\0" + portrait(bundle.input.height, bundle.input.width, 60).tobytes()
    counted = []
    for pictures in (b"", shown):
        command: list[str | Path] = ["qemu-arm", "-singlestep", "-d", "exec,nochain", "-D", log, program]
        subprocess.run(command, input=pictures, capture_output=True, check=True, timeout=60)
        with log.open("rb") as lines:
            counted.append(sum(1 for _ in lines))
    return (counted[1] - counted[0]) / (bundle.input.width * bundle.input.height)


@pytest.mark.parametrize("name", ["Cortex-M0+", "Cortex-M4"])
def test_the_page_tells_how_many_instructions_a_pixel_takes(name: str, tmp_path: Path) -> None:
    required("arm-none-eabi-gcc", "qemu-arm")
    ((plain, with_weights),) = re.findall(rf"on a {re.escape(name)} (\d+) instructions, (\d+) with weights", PAGE)
    entry, weighing = Bundle.from_bytes((ENTRY / "bundle.json").read_bytes()), bundles()["learned-schema-2.json"]
    for said, each in ((plain, entry), (with_weights, weighing)):
        bundle = bundle_of(each.tables, each.settings, 16, 16)
        measured = instructions_a_pixel(bundle, name.lower().replace("+", "plus"), tmp_path)
        assert abs(int(said) - measured) <= TOLERANCE * measured, measured


def test_the_table_has_every_processor_that_is_measured() -> None:
    assert set(told()) == set(TARGETS)


def test_the_example_makes_the_codecs_frame_of_raw_pixels(tmp_path: Path) -> None:
    required("gcc")
    made = CliRunner().invoke(app, ["bundle", "to-c", str(ENTRY), "--out", str(tmp_path)])
    assert made.exit_code == 0, made.output
    program, example = tmp_path / "camera", ROOT / "examples/microcontroller.c"
    sources = [example, tmp_path / "dctwire_cifar100.c"]
    subprocess.run(["gcc", *STRICT, "-I", tmp_path, "-o", program, *sources], check=True, timeout=60)
    bundle = Bundle.from_bytes((ENTRY / "bundle.json").read_bytes())
    for seed in range(4):
        done = subprocess.run([program], input=picture(seed).tobytes(), capture_output=True, check=True, timeout=60)
        assert done.stdout == bundle.encoding.encoder().encode(picture(seed))
    assert subprocess.run([program], input=b"too few", capture_output=True, check=False, timeout=60).returncode == 1


def test_the_quick_start_turns_a_picture_into_the_frame_that_it_says(tmp_path: Path) -> None:
    required("gcc")
    (quick,) = re.findall(r"### A microcontroller\n.*?```sh\n(.*?)```", PAGE, re.S)
    lines = quick.splitlines()
    assert len(lines) <= 10
    from PIL import Image

    Image.fromarray(picture(3, 64)).save(tmp_path / "picture.jpg", quality=95)
    script = "\n".join(line for line in lines if "client.py" not in line)
    words = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("trainer", "examples"):
        (clone / name).symlink_to(ROOT / name)
    (tmp_path / "picture.jpg").rename(clone / "picture.jpg")
    subprocess.run(["bash", "-euc", script], cwd=clone, env=words, check=True, timeout=120)
    bundle = Bundle.from_bytes((ENTRY / "bundle.json").read_bytes())
    raw = (clone / "picture.rgb").read_bytes()
    shown = memoryview(raw).cast("B", (32, 32, 3))
    assert (clone / "frame.jpg").read_bytes() == bundle.encoding.encoder().encode(shown)
