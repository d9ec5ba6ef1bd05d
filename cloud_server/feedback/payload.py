"""How many bytes of a request body were scans, tables and other markers, for the byte counters."""

from cloud_server.metrics import INTERCHANGE, Payload

_SOS, _DQT, _DHT = 0xDA, 0xDB, 0xC4


def payload_of(
    device_id: int, family: str, tables: str, prefix: bytes, body: bytes, scan_bytes: int, frames: int = 1
) -> Payload:
    """Divide the bytes of a body that was answered into scan, tables and other markers.

    Args:
        device_id: the device's row.
        prefix: begins with all of the JPEG before its scan; the frame itself, or a batch's prefix.
        scan_bytes: size of all entropy-coded data in the body.
        frames: how many were answered, companions left out.
    """
    in_tables = _tables_bytes(prefix) if tables == INTERCHANGE else 0
    markers = max(0, len(body) - scan_bytes - in_tables)
    return Payload(device_id, family, tables, scan_bytes, in_tables, markers, frames)


def _tables_bytes(jpeg: bytes) -> int:
    """Bytes of the DQT and DHT segments before the first scan (T.81 B.2.4), markers and lengths included."""
    total, at = 0, 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != _SOS:
        if jpeg[at + 1] == 0xFF:
            at += 1  # a fill byte before the marker
            continue
        length = 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] in (_DQT, _DHT):
            total += length
        at += length
    return total
