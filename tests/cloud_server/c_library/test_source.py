"""The generated C library makes the codec's bytes of every picture, and says what is wrong with how it is used."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cloud_server.c_library import c_source
from shared.bundle import Bundle, EncoderSettings
from shared.jpeg import EOI, Colours, Encoder, SymbolCounts, TableSet
from shared.wire import Batch, BatchItem
from tests.cloud_server.harness.c_library import (
    SANITIZED,
    STRICT,
    Camera,
    Form,
    Format,
    bundle_of,
    compiled,
    compiled_for_arm,
    write_files,
)
from tests.shared.jpeg import pictures
from tests.system_packages import required, required_headers
from tests.vectors.bundle_vectors import bundles as vectors

Pixels = NDArray[np.uint8]
PLAIN = ("-O2",)
SMALL_32_BIT = ("-Os", "-m32")
LINES_MAX = 1000


def learned(seed: int, width: int = 32, height: int = 32, coarsest: int = 60) -> TableSet:
    """Steps of their own for each component, and Huffman tables fitted to what they make of pictures."""
    rng = np.random.default_rng(seed)
    rough = TableSet.standard(50).with_quant(rng.integers(1, coarsest, (3, 64)).astype(np.uint8))
    counts = SymbolCounts()
    counts.add(*Encoder(rough).quantise_batch(np.stack([pictures.natural(height, width, seed) for seed in range(8)])))
    return rough.with_huffman(counts.tables())


def any_settings(seed: int, weights: NDArray[np.float64] | None = None) -> EncoderSettings:
    """Offsets and masks at random, DC's too."""
    rng = np.random.default_rng(seed)
    return EncoderSettings.nearest(rng.uniform(0, 0.5, (3, 64)), rng.random((3, 64)) < 0.2, weights)


def weights_for(tables: TableSet, bits_a_squared_step: float) -> NDArray[np.float64]:
    """What the trainer asks for: a squared step is worth as much at every frequency."""
    return bits_a_squared_step / np.array([list(steps) for steps in tables.quant], float) ** 2


def weighing(seed: int, bits_a_squared_step: float, coarsest: int = 60, width: int = 32, height: int = 32) -> Bundle:
    tables = learned(seed, coarsest=coarsest)
    settings = EncoderSettings.nearest(0.5, False, weights_for(tables, bits_a_squared_step))
    return bundle_of(tables, settings, width, height)


def weighing_to_the_limit() -> Bundle:
    """Levels of 2 cost so much more than those of 1 that many could be lowered by a hair: the codec's limit decides."""
    counts = SymbolCounts()
    counts.counts[:, 1:] = 1
    counts.counts[1::2, [0x00, 0x01]] = 1000, 10**6
    tables = TableSet.standard(50).with_quant([bytes([40]) * 64] * 3).with_huffman(counts.tables())
    return bundle_of(tables, EncoderSettings.nearest(0.5, False, weights_for(tables, 15)))


def cases() -> dict[str, Bundle]:
    """Bundles that differ in all that a bundle can say of bytes."""
    all_255 = TableSet.standard(50).with_quant([b"\xff" * 64] * 3)
    of_vector = vectors()["learned-schema-2.json"]
    masked = EncoderSettings.nearest(0.2, np.arange(64) > 20)
    unread = np.where((np.arange(64) == 0) | (np.arange(64) > 20), 2**-20, weights_for(learned(11), 5))
    return {
        **{f"quality-{quality}": bundle_of(TableSet.standard(quality)) for quality in (1, 25, 50, 75, 95, 100)},
        "all-255": bundle_of(all_255),
        "smallest": bundle_of(TableSet.standard(90), width=16, height=16),
        "wide": bundle_of(learned(1), width=64, height=48),
        "high": bundle_of(learned(2), width=48, height=64),
        "usual": bundle_of(learned(3), width=224, height=224),
        "dead-zone-and-mask": bundle_of(learned(4), masked),
        "any-settings": bundle_of(learned(5, coarsest=255), any_settings(1)),
        "any-settings-fine": bundle_of(learned(6, coarsest=3), any_settings(2)),
        "weighing": weighing(7, 10),
        "weighing-much": weighing(8, 2, coarsest=12),
        "weighing-little": weighing(9, 100, coarsest=255, width=48),
        "weighing-in-dead-zones": bundle_of(learned(10), any_settings(3, weights_for(learned(10), 8))),
        "weighing-to-the-limit": weighing_to_the_limit(),
        "weights-unread": bundle_of(learned(11), EncoderSettings.nearest(0.4, np.arange(64) > 20, unread)),
        "weights-apart": bundle_of(of_vector.tables, of_vector.settings),
    }


def waves(height: int, width: int) -> list[Pixels]:
    """Of each frequency the picture of 0 and 255 that has most of it, in all channels or in one."""
    y, x = np.mgrid[:height, :width] % 8
    found = []
    for frequency in range(1, 64, 5):
        wave = np.cos((2 * y + 1) * (frequency // 8) * np.pi / 16) * np.cos((2 * x + 1) * (frequency % 8) * np.pi / 16)
        picture = np.repeat(np.where(wave > 0, 255, 0)[..., None], 3, axis=2).astype(np.uint8)
        picture[..., frequency % 3] = 0
        found.append(picture)
    return found


def some_pictures(bundle: Bundle) -> list[Pixels]:
    """Noise, extremes, one colour, what photographs are like, and parts of one."""
    height, width = bundle.input.height, bundle.input.width
    kinds = (pictures.noise, pictures.extremes, pictures.flat, pictures.natural, pictures.portrait)
    return [kind(height, width, seed) for kind in kinds for seed in range(1, 5)] + waves(height, width)


def of_codec(bundle: Bundle, pixels: Pixels, colours: Colours = Colours.RGB) -> bytes:
    """The frame that dctwire's own encoder makes."""
    encoder = Encoder(bundle.tables, quantisation=bundle.settings.quantisation(), colours=colours)
    return encoder.encode(pixels)


CASES = cases()


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    required("gcc")


@pytest.fixture(scope="module")
def learned_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A program of the case `weighing`, under sanitizers."""
    with Camera(compiled(tmp_path_factory.mktemp("camera"), CASES["weighing"], "camera.c", *SANITIZED)) as camera:
        yield camera


def require_same_frames(bundle: Bundle, *command: str | Path) -> None:
    shown = some_pictures(bundle)
    with Camera(*command) as camera:
        frames = camera.encode_all(picture.tobytes() for picture in shown)
    for picture, frame in zip(shown, frames, strict=True):
        assert frame == of_codec(bundle, picture)


@pytest.mark.parametrize("name", CASES)
def test_frames_are_those_of_the_codec(name: str, tmp_path: Path) -> None:
    require_same_frames(CASES[name], compiled(tmp_path, CASES[name], "camera.c", *SANITIZED))


@pytest.mark.parametrize("name", ["quality-50", "any-settings", "weighing", "weights-apart"])
def test_frames_are_those_of_the_codec_where_a_word_has_32_bits(name: str, tmp_path: Path) -> None:
    required_headers("x86_64-linux-gnu/gnu/stubs-32.h")  # of gcc-multilib
    for flags in (SMALL_32_BIT, (*SANITIZED, "-m32")):
        require_same_frames(CASES[name], compiled(tmp_path, CASES[name], "camera.c", *flags))


@pytest.mark.parametrize("processor", ["cortex-m0plus", "cortex-m4"])
@pytest.mark.parametrize("name", ["any-settings", "weighing", "weights-apart"])
def test_frames_are_those_of_the_codec_on_the_processor_of_a_microcontroller(
    name: str, processor: str, tmp_path: Path
) -> None:
    required("arm-none-eabi-gcc", "qemu-arm")
    require_same_frames(CASES[name], "qemu-arm", compiled_for_arm(tmp_path, CASES[name], processor))


@hypothesis_settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays(np.uint8, (32, 32, 3), elements=st.integers(0, 255), fill=st.sampled_from([0, 1, 127, 128, 129, 254, 255])),
    st.integers(0, 255),
)
def test_frames_of_made_up_pictures_are_those_of_the_codec(learned_camera: Camera, pixels: Pixels, xor: int) -> None:
    for shown in (pixels, pixels ^ np.uint8(xor), np.roll(pixels, xor, axis=1)):
        assert learned_camera.encode(shown.tobytes()) == of_codec(CASES["weighing"], shown)


@pytest.mark.parametrize("seed", range(6))
def test_planes_and_yuyv_make_the_codecs_frames_of_the_same_samples(learned_camera: Camera, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, chroma = rng.integers(0, 256, (32, 32), np.uint8), rng.integers(0, 256, (2, 16, 16), np.uint8)
    ycbcr = np.stack([y, *chroma.repeat(2, 1).repeat(2, 2)], axis=2)
    of_planes = of_codec(CASES["weighing"], ycbcr, Colours.YCBCR)
    assert learned_camera.encode(y.tobytes() + chroma.tobytes(), Format.I420) == of_planes
    by_turns = chroma.transpose(1, 2, 0).tobytes()
    assert learned_camera.encode(y.tobytes() + by_turns, Format.NV12) == of_planes

    of_rows = rng.integers(0, 256, (2, 32, 16), np.uint8)
    yuyv = np.stack([y[:, ::2], of_rows[0], y[:, 1::2], of_rows[1]], axis=2)
    ycbcr = np.stack([y, *of_rows.repeat(2, 2)], axis=2)
    assert learned_camera.encode(yuyv.tobytes(), Format.YUYV) == of_codec(CASES["weighing"], ycbcr, Colours.YCBCR)


@pytest.mark.parametrize("seed", range(6))
def test_grey_and_rgb565_make_the_codecs_frames_of_the_pixels_they_stand_for(learned_camera: Camera, seed: int) -> None:
    grey = pictures.natural(32, 32, seed, 1)
    assert learned_camera.encode(grey.tobytes(), Format.GREY) == of_codec(CASES["weighing"], grey.repeat(3, 2))

    words = np.random.default_rng(seed).integers(0, 2**16, (32, 32), np.uint16)
    r, g, b = words >> 11, words >> 5 & 63, words & 31
    rgb = np.stack([r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2], axis=2).astype(np.uint8)
    expected = of_codec(CASES["weighing"], rgb)
    assert learned_camera.encode(words.astype("<u2").tobytes(), Format.RGB565_LE) == expected
    assert learned_camera.encode(words.astype(">u2").tobytes(), Format.RGB565_BE) == expected


def test_scans_are_the_items_of_a_batch_with_the_librarys_prefix(learned_camera: Camera) -> None:
    shown = [pictures.natural(32, 32, seed) for seed in range(3)]
    frames = learned_camera.encode_all(picture.tobytes() for picture in shown)
    scans = [learned_camera.encode(picture.tobytes(), form=Form.SCAN) for picture in shown]
    prefix = frames[0][: -len(scans[0] + EOI)]
    batch = Batch(prefix, tuple(BatchItem(n, 0, scan) for n, scan in enumerate(scans)))
    assert list(Batch.from_bytes(batch.to_bytes()).frames()) == frames
    assert prefix.hex() == in_source(CASES["weighing"], "PREFIX_BYTES] = {").hex()


def in_source(bundle: Bundle, begins: str) -> bytes:
    """The numbers of an array that the generated source has."""
    source = c_source(bundle, "0.0.0").source
    return bytes(int(word) for word in source.split(begins)[1].split("}")[0].split(","))


@pytest.mark.parametrize("flags", [SANITIZED, PLAIN], ids=["sanitized", "plain"])
def test_every_wrong_use_is_told_by_a_code_and_writes_nowhere_else(flags: tuple[str, ...], tmp_path: Path) -> None:
    program = compiled(tmp_path, CASES["quality-95"], "misuse.c", *flags)
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["quality-50", "weighing"])
def test_the_library_computes_in_whole_numbers_and_calls_nothing(name: str, tmp_path: Path) -> None:
    source = write_files(tmp_path, CASES[name])
    whole = ("-mgeneral-regs-only", "-ffreestanding", "-O2", "-fno-tree-loop-distribute-patterns")
    made = tmp_path / "library.o"
    subprocess.run(["gcc", *STRICT, *whole, "-c", "-o", made, source], check=True, timeout=60)
    listed = subprocess.run(["nm", made], capture_output=True, text=True, check=True, timeout=60).stdout.split("\n")
    symbols = [line.split()[-2:] for line in listed if line]
    assert {name for kind, name in symbols if kind in "UDdBbC"} <= {"_GLOBAL_OFFSET_TABLE_"}
    assert {name for kind, name in symbols if kind.isupper() and kind != "U"} == {
        f"dctwire_camera_{part}" for part in ("prefix", "begin", "rows", "rows_yuv420", "end", "into_buffer")
    }


@pytest.mark.parametrize("name", CASES)
def test_a_library_is_one_file_and_its_header_of_under_a_thousand_lines(name: str) -> None:
    library = c_source(CASES[name], "1.2.3")
    assert sorted(library.files) == ["dctwire_camera.c", "dctwire_camera.h"]
    for text in library.files.values():
        head = text[:1000]
        assert "camera/1" in head and CASES[name].tables.tables_id in head
        assert "Generated by dctwire 1.2.3; do not edit. SPDX-License-Identifier: Apache-2.0" in head
        assert text.isascii() and "@" not in text and "NAME" not in text
    assert sum(len(text.splitlines()) for text in library.files.values()) < LINES_MAX


def test_two_families_can_be_in_one_program(tmp_path: Path) -> None:
    other = CASES["weighing"].model_copy(update={"family": "front-door"})
    program = compiled(tmp_path, CASES["quality-50"], "camera.c", *PLAIN)
    sources = [tmp_path / "dctwire_camera.c", write_files(tmp_path, other), tmp_path / "main.c"]
    sources[-1].write_text(
        '#include "dctwire_camera.h"\n#include "dctwire_front_door.h"\nint main(void) { return 0; }\n'
    )
    subprocess.run(["gcc", *STRICT, "-o", program, *sources], check=True, timeout=60)
