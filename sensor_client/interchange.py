"""Putting the tables back: an abbreviated frame becomes a JPEG that any reader can read."""

from shared.jpeg import Decoder, Encoder, Stream, TableSet


def to_interchange(body: bytes, tables_stream: bytes) -> bytes:
    """The frame as an interchange stream with the same coefficients; nothing is quantised again.

    Raises:
        PeerError: the frame or the tables are damaged.
    """
    tables = TableSet.from_stream(tables_stream)
    return Encoder(tables).encode_coefficients(Decoder(tables).decode(body), Stream.INTERCHANGE)
