"""Takes out of a JPEG what would be parsed for nothing, before anybody else reads it."""

EXIF, SEVERAL_PICTURES = b"Exif\0\0", b"MPF\0"
NAMES = ((0xE1, EXIF), (0xE2, SEVERAL_PICTURES))  # the marker of each, and how its segment begins
SOS, EOI = 0xDA, 0xD9
WITHOUT_LENGTH = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})  # T.81 table B.1; 0 and FF are no markers


def take_exif(stream: bytes) -> tuple[bytes, bytes]:
    """A JPEG of whose metadata nobody knows the name any more, and its first Exif block; b"" where there is none.

    Pillow parses Exif and the index of several pictures when it opens a JPEG, and fails on entries of odd types or
    warns of them: cameras write such.
    """
    renamed, block, place = bytearray(stream), b"", 2
    while 0 <= (place := stream.find(b"\xff", place)) < len(stream) - 4:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4])
        if marker in (SOS, EOI):
            break
        for of, name in NAMES:
            if marker == of and stream.startswith(name, place + 4):
                renamed[place + 4 : place + 4 + len(name)] = name.lower()
                if name == EXIF:
                    block = block or stream[place + 4 : place + 2 + length]
        place += 1 if marker in WITHOUT_LENGTH else 2 + length
    return bytes(renamed), block
