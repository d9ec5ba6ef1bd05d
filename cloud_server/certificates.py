"""The server's certificate and key: read at the start, read again when the files change. The one door to `ssl` here."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509

from shared.errors import DctwireError

_log = structlog.get_logger()


class CertificateError(DctwireError):
    """Certificate and key cannot be read, are not of each other, or one of them is not named."""

    def __init__(self, certificate: Path | None, key: Path | None, cause: str) -> None:
        super().__init__(f"TLS cannot be spoken with {certificate} and {key}: {cause}")


@dataclass(frozen=True, slots=True)
class _Pair:
    context: ssl.SSLContext
    begins: datetime
    ends: datetime

    def fault(self, now: datetime) -> str | None:
        """Why nobody who checks it believes the certificate now; None: its time is right."""
        if now < self.begins:
            return f"the certificate is not valid before {self.begins:%Y-%m-%d %H:%M:%S}Z"
        return f"the certificate expired on {self.ends:%Y-%m-%d %H:%M:%S}Z" if now >= self.ends else None


class Certificate:
    """A certificate chain and its key, both PEM files; the key without a passphrase.

    Attributes:
        failures: how often changed files could not be used; the pair before them stays.

    Raises:
        CertificateError: they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._seen = self._state()
        self._pair = self._read()
        self.failures = 0

    @property
    def context(self) -> ssl.SSLContext:
        """TLS as a server speaks it with the pair, version 1.2 or later."""
        return self._pair.context

    @property
    def expires_at(self) -> float:
        """When the certificate ends, in seconds since 1970."""
        return self._pair.ends.timestamp()

    def refresh(self, now: float) -> None:
        """Read the files again if they have changed; a pair that cannot be used is logged once and changes nothing.

        Args:
            now: seconds since 1970; a certificate that is not valid then cannot be used.
        """
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._pair = self._read_valid(datetime.fromtimestamp(now, UTC))
        except CertificateError as error:
            self.failures += 1
            _log.error("certificate-not-taken", error=str(error))
            return
        _log.info("certificate-taken", expires_at=self.expires_at)

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stat, self._files))

    def _read_valid(self, now: datetime) -> _Pair:
        pair = self._read()
        if fault := pair.fault(now):
            raise CertificateError(*self._files, fault)
        return pair

    def _read(self) -> _Pair:
        certificate, key = self._files
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            context.load_cert_chain(certificate, key, password=lambda: b"")  # else OpenSSL asks on the terminal
            leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CertificateError(certificate, key, _said(error)) from error
        return _Pair(context, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def certificate_at(certificate: Path | None, key: Path | None) -> Certificate | None:
    """The certificate that settings name; None: they name none.

    Raises:
        CertificateError: it cannot be used, or only one of the two files is named.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise CertificateError(certificate, key, "set both DCTWIRE_SERVER_TLS_CERTIFICATE and DCTWIRE_SERVER_TLS_KEY")
    return Certificate(certificate, key)


def _stat(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file does; None: it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
