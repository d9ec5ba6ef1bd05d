"""Plain files, from which the odd ones are made."""

from shared.jpeg import Decoder, Encoder, Sampling, Stream, TableSet
from tests.shared.jpeg import pictures, streams

# With standard Huffman tables, one DHT segment each.
STANDARD = {
    "4:2:0": pictures.pillow_jpeg(pictures.natural(32, 32, 1), quality=60, subsampling=2),
    "4:2:2": pictures.pillow_jpeg(pictures.natural(32, 32, 2), quality=85, subsampling=1),
    "4:4:4, odd size": pictures.pillow_jpeg(pictures.natural(37, 45, 3), quality=30, subsampling=0),
    "grey": pictures.pillow_jpeg(pictures.natural(48, 32, 4)[..., 0], quality=75),
    "photograph": pictures.pillow_jpeg(pictures.photograph()[100:324, 100:324], quality=80, subsampling=2),
    "4:4:0": Encoder(TableSet.standard(70, Sampling.YUV440)).encode(pictures.natural(40, 33, 5), Stream.INTERCHANGE),
    "4:1:1": Encoder(TableSet.standard(70, Sampling.YUV411)).encode(pictures.natural(32, 48, 6), Stream.INTERCHANGE),
}
RESTARTED = {
    "each MCU": pictures.pillow_jpeg(pictures.natural(32, 32, 1), quality=60, subsampling=2, restart_marker_blocks=1),
    "each row": pictures.pillow_jpeg(pictures.natural(64, 48, 2), quality=90, subsampling=1, restart_marker_rows=1),
    "not in step": pictures.pillow_jpeg(pictures.natural(70, 66, 3), quality=75, restart_marker_blocks=7),
    "16 intervals": pictures.pillow_jpeg(
        pictures.natural(64, 64, 4), quality=50, subsampling=2, restart_marker_blocks=1
    ),
    "grey": pictures.pillow_jpeg(pictures.natural(40, 40, 5)[..., 0], quality=75, restart_marker_blocks=3),
}
OTHERS = {
    "fitted tables": pictures.pillow_jpeg(pictures.natural(32, 32, 6), quality=40, subsampling=2, optimize=True),
    "a scan a component": streams.one_scan_a_component(Decoder().decode(STANDARD["4:2:0"]), TableSet.standard(60)),
    "progressive": pictures.pillow_jpeg(pictures.natural(32, 32, 7), quality=80, subsampling=2, progressive=True),
    "progressive, restarted": pictures.pillow_jpeg(
        pictures.natural(32, 48, 8), quality=80, subsampling=2, progressive=True, restart_marker_blocks=2
    ),
}
EVERY = {**STANDARD, **{f"restarted {name}": jpeg for name, jpeg in RESTARTED.items()}, **OTHERS}
