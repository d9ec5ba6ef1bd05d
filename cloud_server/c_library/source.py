"""The C library of one bundle: the templates beside this module, and the bundle's tables put into them. Pure.

What does not depend on the bundle is `encoder.h` and `encoder.c`, C as it is compiled but for names and numbers.
"""

from dataclasses import dataclass
from pathlib import Path

from cloud_server.c_library.tables import codes_in_c, prefix_in_c, quantisers_in_c
from cloud_server.c_library.weighing import weighings_in_c
from shared.bundle import Bundle
from shared.jpeg import EOI, Stream

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class CSource:
    """A library: its name, which all its files and symbols begin with, and the content of `NAME.h` and `NAME.c`."""

    name: str
    header: str
    source: str

    @property
    def files(self) -> dict[str, str]:
        """Each file's content by its name."""
        return {f"{self.name}.h": self.header, f"{self.name}.c": self.source}


def c_source(bundle: Bundle, version: str) -> CSource:
    """The C library that makes of pixels the bytes that the bundle's own encoder makes.

    Its name has the family alone: the next bundle of the family is compiled in without a change in what calls it.

    Args:
        version: of dctwire, for the files' heads.

    Raises:
        UnsupportedBundleError: this version of dctwire cannot encode with the bundle.
        UnsupportedInCError: it can, the library could not with the same bytes.
    """
    prefix = _prefix(bundle)
    said = {
        "bundle": bundle.name,
        "tables_id": bundle.tables.tables_id,
        "version": version,
        "counter": bundle.counter,
        "width": bundle.input.width,
        "height": bundle.input.height,
        "prefix_bytes": len(prefix),
        "expected_n": bundle.expected.n,
        "bytes_p50": f"{bundle.expected.bytes_p50:g}",
        "bytes_p95": f"{bundle.expected.bytes_p95:g}",
        "tables": _tables(bundle, prefix),
    }
    name = f"dctwire_{bundle.family.replace('-', '_')}"
    header, source = (_filled(HERE / file, name, said) for file in ("encoder.h", "encoder.c"))
    return CSource(name, header, source)


def _tables(bundle: Bundle, prefix: bytes) -> str:
    parts = [
        prefix_in_c(prefix),
        quantisers_in_c(bundle.tables, bundle.settings),
        codes_in_c(bundle.tables),
        weighings_in_c(bundle.tables, bundle.settings),
    ]
    return "\n".join(parts)


def _prefix(bundle: Bundle) -> bytes:
    """What stands before the scan of each frame: read off a frame."""
    encoder, geometry = bundle.encoding.encoder(), bundle.input
    black = memoryview(bytes(geometry.height * geometry.width * 3)).cast("B", (geometry.height, geometry.width, 3))
    frame, scan = (encoder.encode(black, stream) for stream in (Stream.ABBREVIATED, Stream.SCAN))
    return frame[: -len(scan + EOI)]


def _filled(template: Path, name: str, said: dict[str, object]) -> str:
    """A template with its names and numbers."""
    text = template.read_text(encoding="ascii")
    for word, value in said.items():
        text = text.replace(f"@{word}@", str(value))
    return text.replace("dctwire_NAME", name).replace("DCTWIRE_NAME", name.upper())
