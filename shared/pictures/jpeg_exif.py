"""Takes Exif out of a JPEG before anybody else reads it."""

EXIF = b"Exif\0\0"
APP1, SOS, EOI = 0xE1, 0xDA, 0xD9
WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})  # T.81 table B.1; 0 is no marker


def take_exif(stream: bytes) -> tuple[bytes, bytes]:
    """A JPEG whose Exif segments have another name, and the first Exif block; b"" where there is none.

    Pillow parses Exif when it opens a JPEG, and fails on entries of odd types: cameras write such.
    """
    renamed, block, place = bytearray(stream), b"", 2
    while 0 <= (place := stream.find(b"\xff", place)) < len(stream) - 4:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4])
        if marker in (SOS, EOI):
            break
        if marker == APP1 and stream.startswith(EXIF, place + 4):
            block = block or stream[place + 4 : place + 2 + length]
            renamed[place + 4 : place + 8] = EXIF[:4].lower()
        is_segment = marker not in WITHOUT_LENGTH and marker != 0xFF
        place += 2 + length if is_segment else 1
    return bytes(renamed), block
