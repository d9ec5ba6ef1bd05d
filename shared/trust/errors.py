"""What can be wrong with signed metadata."""

from typing import ClassVar

from shared.errors import PeerError


class TrustError(PeerError):
    """Metadata or a target does not verify: wrong signature, expired, rolled back, mixed up or malformed."""

    code: ClassVar[str] = "untrusted"


class OtherSignerError(TrustError):
    """The metadata are signed, but not with the keys that the trusted root names."""


class KeyFileError(TrustError):
    """A key, or the signer that holds it, cannot be used: its file is damaged, or its passphrase is another one."""

    code: ClassVar[str] = "key-file"


class TargetTakenError(TrustError):
    """Other contents are signed under this path already; what is signed stays."""

    code: ClassVar[str] = "conflict"


class OutdatedError(TrustError):
    """It was signed on top of targets that are not the current ones any more: fetch them and sign again."""

    code: ClassVar[str] = "conflict"
