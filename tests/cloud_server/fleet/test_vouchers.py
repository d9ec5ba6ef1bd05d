"""Vouchers: bound to one device and to one key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.fleet.voucher_key import KEY_NAME
from cloud_server.fleet.vouchers import Vouchers
from shared.trust import TrustError

ids = st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True)
families = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
hashes = st.binary(min_size=32, max_size=32)
who = st.tuples(ids, families, hashes, hashes)
Who = tuple[str, str, bytes, bytes]


@given(who, who, hashes, hashes)
def test_a_voucher_holds_for_its_device_and_its_key_alone(one: Who, other: Who, key: bytes, other_key: bytes) -> None:
    vouchers = Vouchers(key)
    voucher = vouchers.give(*one)
    assert voucher is not None and len(voucher) == 43
    assert vouchers.hold(voucher, *one)
    assert vouchers.hold(voucher, *other) == (one == other)
    assert Vouchers(other_key).hold(voucher, *one) == (key == other_key)


def test_without_a_key_nothing_is_given_and_nothing_holds() -> None:
    assert Vouchers(None).give("a", "b", b"", b"") is None
    assert not Vouchers(None).hold("", "a", "b", b"", b"")


@pytest.mark.parametrize("content", [b"", b"\0" * 65, b"abc\n", b"\xff\xfe", b"0" * 63])
def test_a_damaged_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_NAME).write_bytes(content)
    with pytest.raises(TrustError, match=KEY_NAME):
        Vouchers.of_folder(tmp_path)


def test_where_no_key_can_be_made_there_are_no_vouchers(tmp_path: Path) -> None:
    assert Vouchers.of_folder(tmp_path / "not-there").give("a", "b", b"", b"") is None
