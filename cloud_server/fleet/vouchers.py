"""Vouchers: the server's own word that it enrolled a device, kept by the device.

A server that was restored from a backup has no row of a device that joined after it. The device's voucher, with the
claim code and the secret that it is bound to, brings the row back: same id, same token.
"""

import base64
import hmac
import re
from pathlib import Path
from typing import NamedTuple

import structlog

from cloud_server.fleet.voucher_key import KEY_NAME, KEY_PATTERN, make_key
from shared.trust import TrustError
from shared.wire import EnrolmentRequest

_PURPOSE = b"dctwire enrolment voucher"
_log = structlog.get_logger()


class Vouched(NamedTuple):
    """Who a device says that it was, and whether its voucher shows it."""

    device_id: str
    family: str
    is_shown: bool


class Vouchers:
    """Gives vouchers and knows them again.

    Args:
        key: of HMAC-SHA256; None: no voucher is given or taken.
        new_file: where the key lies, if it was made just now.
    """

    def __init__(self, key: bytes | None, new_file: Path | None = None) -> None:
        self._key = key
        self._new_file = new_file

    @classmethod
    def of_folder(cls, folder: Path) -> "Vouchers":
        """With the key in the folder of the online keys, which is made where it is missing and can be.

        Raises:
            TrustError: the file is there, and is no key.
        """
        try:
            is_new = make_key(folder)
            text = (folder / KEY_NAME).read_text("latin-1").strip()
        except OSError as error:
            # A folder that is mounted read-only: `dctwire trust init` makes the key with the others.
            _log.warning("no-vouchers-are-given", file=str(folder / KEY_NAME), cause=str(error))
            return cls(None)
        if not re.fullmatch(KEY_PATTERN, text):
            raise TrustError(f"{folder / KEY_NAME} is damaged: restore it from a backup")
        return cls(bytes.fromhex(text), folder / KEY_NAME if is_new else None)

    def warn_of_new_key(self, devices: int) -> None:
        """Warn, once, where the key was missing though `devices` had joined: it may lie elsewhere."""
        if self._new_file is not None and devices:
            _log.warning(
                "enrolment-key-was-missing",
                file=str(self._new_file),
                devices=devices,
                meaning="a new key was made: vouchers from before do not hold, so a device that this database does not "
                "know is not let in again",
                remedy="where an earlier server or a backup has this file, copy it here and start again",
            )
        self._new_file = None

    def give(self, device_id: str, family: str, claim_sha256: bytes, secret_sha256: bytes) -> str | None:
        """The voucher of a device: 43 characters, always the same for it; None without a key."""
        if self._key is None:
            return None
        # Neither an id nor a family has a zero byte, and the two hashes have fixed lengths: no two devices share this.
        said = b"\0".join((_PURPOSE, device_id.encode(), family.encode(), claim_sha256 + secret_sha256))
        digest = hmac.digest(self._key, said, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def hold(self, voucher: str, device_id: str, family: str, claim_sha256: bytes, secret_sha256: bytes) -> bool:
        """Whether the voucher is ours, and of this device; compared in constant time."""
        given = self.give(device_id, family, claim_sha256, secret_sha256)
        return given is not None and hmac.compare_digest(given, voucher)

    def vouched(self, wanted: EnrolmentRequest, claim_sha256: bytes, secret_sha256: bytes) -> Vouched | None:
        """What a request's voucher shows; None where it has none."""
        device_id, family, voucher = wanted.device_id, wanted.family, wanted.voucher
        if device_id is None or family is None or voucher is None:
            return None
        return Vouched(device_id, family, self.hold(voucher, device_id, family, claim_sha256, secret_sha256))
