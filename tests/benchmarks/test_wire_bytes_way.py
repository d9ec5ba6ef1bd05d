"""TLS records are counted from their headers, however a socket divides the bytes."""

import pytest

from benchmarks.wire_bytes_way import RecordCount

RECORDS = b"".join(b"\x17\x03\x03" + length.to_bytes(2, "big") + b"p" * length for length in (40, 17, 16_401))


@pytest.mark.parametrize("piece", [1, 3, 7, 1000, len(RECORDS)])
def test_each_record_adds_its_header_its_type_and_its_tag_whatever_comes_at_once(piece: int) -> None:
    count = RecordCount()
    for at in range(0, len(RECORDS), piece):
        count.see(RECORDS[at : at + piece])
    assert count.overhead_bytes == 3 * 22
