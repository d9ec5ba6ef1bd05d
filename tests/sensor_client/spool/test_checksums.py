"""Checksums of bodies."""

from sensor_client.spool.checksums import checksum_of, is_as_stored


def test_a_body_with_one_bit_changed_is_not_as_it_was_stored() -> None:
    body = bytes(range(200))
    for bit in range(0, 1600, 7):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        assert not is_as_stored(bytes(changed), checksum_of(body))
    assert is_as_stored(body, checksum_of(body))


def test_without_a_checksum_nothing_can_be_told() -> None:
    assert is_as_stored(b"anything", None)
