"""What real cameras and editors do to JPEG files, done to a plain file by editing its bytes."""

from tests.shared.jpeg.streams import segment, segments

SOS, DHT, EOI = 0xDA, 0xC4, b"\xff\xd9"


def without_huffman_tables(
    jpeg: bytes, classes: tuple[int, ...] = (0, 1), destinations: tuple[int, ...] = (0, 1)
) -> bytes:
    """The file without DHT segments of these classes (0 is DC, 1 AC) and destinations; each holds one table."""
    left_out = {kind << 4 | destination for kind in classes for destination in destinations}
    kept = [jpeg[s:e] for marker, s, e in segments(jpeg) if marker != DHT or jpeg[s + 4] not in left_out]
    return jpeg[:2] + b"".join(kept) + jpeg[segments(jpeg)[-1][2] :]


def unset_span(jpeg: bytes) -> bytes:
    """The file with Ss = Se = Ah = Al = 0 in each scan header."""
    for marker, start, _ in all_segments(jpeg):
        if marker == SOS:
            end = start + 2 + int.from_bytes(jpeg[start + 2 : start + 4])
            jpeg = jpeg[: end - 3] + bytes(3) + jpeg[end:]
    return jpeg


def zeros_before_markers(jpeg: bytes, count: int, *, before_eoi: bool = True, before_restarts: bool = True) -> bytes:
    """The file with zeros at the end of entropy-coded data: before each restart marker, before EOI."""
    start = segments(jpeg)[-1][2]
    scan, padding = jpeg[start:-2], bytes(count)
    if before_restarts:
        for number in range(8):
            marker = bytes([0xFF, 0xD0 + number])
            scan = scan.replace(marker, padding + marker)
    return jpeg[:start] + scan + (padding if before_eoi else b"") + jpeg[-2:]


def restart_marker_behind_the_last_interval(jpeg: bytes) -> bytes:
    """The file with one restart marker more, which has the next number."""
    start = segments(jpeg)[-1][2]
    restarts = sum(jpeg[start:].count(bytes([0xFF, 0xD0 + number])) for number in range(8))
    return jpeg[:-2] + bytes([0xFF, 0xD0 + restarts % 8]) + jpeg[-2:]


def zeros_between_segments(jpeg: bytes, count: int, *, behind_soi: bool = True) -> bytes:
    """The file with zeros before each marker segment of its prefix, or before all but the first."""
    starts = [start for _, start, _ in segments(jpeg)]
    for start in reversed(starts if behind_soi else starts[1:]):
        jpeg = jpeg[:start] + bytes(count) + jpeg[start:]
    return jpeg


def without_eoi(jpeg: bytes, left: bytes = b"") -> bytes:
    """The file without its last marker; `left` stands there instead."""
    assert jpeg.endswith(EOI)
    return jpeg[:-2] + left


def with_exif_first(jpeg: bytes) -> bytes:
    """The file with an Exif segment, which holds a whole thumbnail, right behind SOI."""
    return jpeg[:2] + segment(0xE1, b"Exif\0\0" + jpeg[: segments(jpeg)[-1][2]]) + jpeg[2:]


def all_segments(jpeg: bytes) -> list[tuple[int, int, int]]:
    """(marker, start, end) of every segment, a scan with its header; EOI is left out."""
    found, position = [], 2
    while position < len(jpeg) - 2:
        marker, start = jpeg[position + 1], position
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4])
        while marker == SOS and (
            jpeg[position] != 0xFF or jpeg[position + 1] == 0 or jpeg[position + 1] & 0xF8 == 0xD0
        ):
            position += 1 + (jpeg[position] == 0xFF)
        found.append((marker, start, position))
    return found
