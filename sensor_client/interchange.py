"""Putting the tables back: an abbreviated frame becomes a JPEG that needs nothing else."""

from shared.jpeg import Decoder, Encoder, Stream, TableSet


def to_interchange(body: bytes, tables_stream: bytes) -> bytes:
    """The same coefficients as a self-contained stream; nothing is quantised again.

    Raises:
        PeerError: the frame or the tables are damaged.
    """
    tables = TableSet.from_stream(tables_stream)
    return Encoder(tables).encode_coefficients(Decoder(tables).decode(body), Stream.INTERCHANGE)
