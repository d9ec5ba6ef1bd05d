"""The key of vouchers is made once and kept."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloud_server.fleet.voucher_key import KEY_NAME, make_key
from cloud_server.fleet.vouchers import Vouchers


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: Vouchers.of_folder(tmp_path).give("a", "b", b"", b""), range(8)))
    assert len(set(made)) == 1 and made[0] is not None
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_NAME]
    make_key(tmp_path)
    assert Vouchers.of_folder(tmp_path).give("a", "b", b"", b"") == made[0]
