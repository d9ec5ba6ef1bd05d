"""Putting the tables back: an abbreviated frame becomes a JPEG that any reader can read."""

from sensor_client.logs import get_logger
from sensor_client.spool import Spool, SpooledFrame
from shared.errors import PeerError
from shared.jpeg import Decoder, Encoder, Stream, TableSet

_log = get_logger(__name__)


def to_interchange(body: bytes, tables_stream: bytes) -> bytes:
    """The frame as an interchange stream with the same coefficients; nothing is quantised again.

    Raises:
        PeerError: the frame or the tables are damaged.
    """
    tables = TableSet.from_stream(tables_stream)
    return Encoder(tables).encode_coefficients(Decoder(tables).decode(body), Stream.INTERCHANGE)


def put_tables_back(spool: Spool, frame: SpooledFrame) -> bool:
    """Make a frame in the spool an interchange stream, to be sent under the same number; whether that worked."""
    stream = None if frame.tables_id is None else spool.tables_stream(frame.tables_id)
    if stream is None:
        return False
    try:
        body = to_interchange(frame.body, stream)
    except PeerError as error:
        _log.warning("tables-not-put-back", sequence=frame.sequence, reason=str(error))
        return False
    spool.replace_body(frame.sequence, body)
    _log.info("tables-put-back", sequence=frame.sequence, tables=frame.tables_id)
    return True
