"""How a picture must be turned to stand upright: the one rule for frames and for picture files."""

from shared.jpeg import native


def exif_orientation(block: bytes) -> int:
    """How a picture must be turned to stand upright, as its Exif says (CIPA DC-008, tag 0x0112 in IFD0).

    Of a JPEG stream `inspect` tells it.

    Args:
        block: Exif as a file holds it, with or without `Exif` and two zero bytes before it: Pillow's
            `image.info["exif"]`. The bytes of a TIFF file are such a block, too.

    Returns:
        1 to 8, the numbers that `PIL.ImageOps.exif_transpose` follows: 1 as it is, 3 half a turn, 6 a quarter
        clockwise, 8 a quarter counter-clockwise; 2, 4, 5 and 7 mirrored. Whatever is not one whole number of
        1 to 8 there, or is damaged, gives 1; no block is an error.
    """
    return native.exif_orientation(block)
