"""Generated C libraries, compiled into programs that encode pictures."""

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Self

from cloud_server.c_library import c_source
from shared.bundle import (
    Bundle,
    ClassifierRef,
    EncoderSettings,
    Encoding,
    Expected,
    InputGeometry,
    Selftest,
    selftest_sha256,
)
from shared.jpeg import TableSet

SOURCES = Path(__file__).resolve().parents[1] / "c_library"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class Format(IntEnum):
    """How pixels lie in memory; the numbers that camera.c reads."""

    RGB888 = 0
    RGB565_LE = 1
    RGB565_BE = 2
    YUYV = 3
    GREY = 4
    I420 = 5
    NV12 = 6


class Form(IntEnum):
    """What is written of a frame."""

    FRAME = 0
    SCAN = 1


def bundle_of(
    tables: TableSet,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
    width: int = 32,
    height: int = 32,
) -> Bundle:
    """A bundle of the family `camera`, without the server's half."""
    encoding = Encoding(tables, settings)
    return Bundle(
        family="camera",
        counter=1,
        min_counter=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        input=InputGeometry(width=width, height=height),
        tables=tables,
        settings=settings,
        classifier=ClassifierRef(sha256="a" * 64, labels_sha256="b" * 64, golden_sha256="c" * 64),
        expected=Expected(bytes_p50=200, bytes_p95=300, accuracy=0.5, n=10, data="noise"),
        selftest=Selftest(seed=1, sha256=selftest_sha256(encoding, width, height, 1)),
    )


def compiled(folder: Path, bundle: Bundle, program: str, *flags: str) -> Path:
    """A program of the tests, linked with the bundle's library, every warning an error."""
    write_files(folder, bundle)
    return compiled_from(folder, program, *flags)


def write_files(folder: Path, bundle: Bundle) -> Path:
    """The bundle's library in a folder; the path of its .c file."""
    library = c_source(bundle, "0.0.0")
    for name, text in library.files.items():
        (folder / name).write_text(text)
    return folder / f"{library.name}.c"


def compiled_from(folder: Path, program: str, *flags: str) -> Path:
    """A program of the tests, linked with the library of the family `camera` that lies in a folder."""
    made = folder / program.removesuffix(".c")
    sources = [SOURCES / program, folder / "dctwire_camera.c"]
    subprocess.run(["gcc", *STRICT, *flags, "-I", folder, "-o", made, *sources], check=True, timeout=120)
    return made


def compiled_for_arm(folder: Path, bundle: Bundle, processor: str) -> Path:
    """bare.c with the bundle's library, as for a microcontroller; qemu-arm runs it."""
    source, made = write_files(folder, bundle), folder / processor
    flags = (*STRICT, "-Os", "-ffreestanding", "-nostdlib", "-static", "-mthumb", f"-mcpu={processor}")
    no_loops_into_calls = "-fno-tree-loop-distribute-patterns"  # else memcpy would call itself
    command: list[str | Path] = ["arm-none-eabi-gcc", *flags, no_loops_into_calls, "-I", folder, "-o", made]
    command += [SOURCES / "bare.c", source, "-lgcc"]
    subprocess.run(command, check=True, timeout=120)
    return made


class Camera:
    """A running camera.c, or bare.c on an emulator."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def encode(self, pixels: bytes, kind: Format = Format.RGB888, form: Form = Form.FRAME) -> bytes:
        """The stream of one picture."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(bytes([kind, form]) + pixels)
        self._process.stdin.flush()
        length = int.from_bytes(self._process.stdout.read(4), "little")
        assert length > 0, "the program ended"
        return self._process.stdout.read(length)

    def encode_all(self, pictures: Iterable[bytes], kind: Format = Format.RGB888) -> list[bytes]:
        """A stream for each picture."""
        return [self.encode(picture, kind) for picture in pictures]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it; what a sanitizer found is an error."""
        with suppress(BrokenPipeError):
            self._process.communicate(timeout=60)
        assert self._process.returncode == 0
